import { describe, expect, it } from 'vitest';
import { plainMetadata } from '../../lib/cli/inspect/plain-metadata.js';
import type { Library } from '../../lib/cli/library.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { createError } from '../../lib/errors.js';
import {
  estimateMemory,
  type GgufHeader,
  type GgufTensorInfo,
  type GgufValue,
  summarizeGguf,
} from '../../lib/gguf/index.js';
import { findSpecialTokens } from '../../lib/gguf/special-tokens.js';
import type { Device } from '../../lib/native/system.js';
import { createTestContext } from '../helpers/cli-context.js';

function tensor(name: string, dimensions: number[], type: string, byteSize: number): GgufTensorInfo {
  return { name, dimensions, type, byteSize, offset: 0 };
}

function headerWith(metadata: [string, GgufValue][], tensors: GgufTensorInfo[] = []): GgufHeader {
  return {
    path: '/models/x.gguf',
    fileSize: 2_500_000,
    version: 3,
    metadata: new Map(metadata),
    tensors,
    alignment: 32,
    dataOffset: 1024,
  };
}

const header = headerWith(
  [
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['general.name', { type: 'string', value: '小模型' }],
    ['llama.context_length', { type: 'uint32', value: 8192 }],
    ['llama.block_count', { type: 'uint32', value: 30 }],
    ['llama.attention.head_count', { type: 'uint32', value: 9 }],
    [
      'llama.attention.head_count_kv',
      { type: 'array', elementType: 'int32', value: new Int32Array([0, 3, 3]) },
    ],
    ['llama.vocab_size', { type: 'uint32', value: 49_152 }],
    ['tokenizer.chat_template', { type: 'string', value: '{{ messages }}' }],
    ['big', { type: 'uint64', value: 2n ** 60n }],
  ],
  [
    tensor('a', [1000, 1000], 'Q4_K', 562_500),
    tensor('b', [1000, 500], 'Q4_K', 281_250),
    tensor('c', [100], 'F32', 400),
  ],
);

const devices: Device[] = [
  {
    name: 'CUDA0',
    description: 'Small Card',
    kind: 'gpu',
    backend: 'CUDA',
    freeBytes: 500_000,
    totalBytes: 1_000_000,
  },
];

async function run(programArguments: string[], of: GgufHeader | GgufHeader[] = header) {
  const resolved: unknown[] = [];
  const resolveModel: Library['resolveModel'] = async (source, { signal: _, ...given } = {}) => {
    resolved.push([source, given]);
    return '/models/x.gguf';
  };
  const read: unknown[] = [];
  const readGgufHeaders: Library['readGgufHeaders'] = async (source, { signal: _, ...given } = {}) => {
    read.push([source, given]);
    return [of].flat();
  };
  const context = createTestContext({
    library: {
      resolveModel,
      readGgufHeaders,
      summarizeGguf,
      estimateMemory,
      getDevices: async () => devices,
      listCachedModels: async () => [],
      findSpecialTokens,
    },
  });
  const exitCode = await runCommandLine(['inspect', ...programArguments], context);
  return { exitCode, resolved, read, output: context.outputStream.text, notes: context.notesStream.text };
}

describe('metadata as JSON', () => {
  it('makes metadata plain: arrays by length, large numbers as text', () => {
    expect(plainMetadata(header.metadata)).toMatchObject({
      big: '1152921504606846976',
      'llama.attention.head_count_kv': { elementType: 'int32', length: 3 },
      'llama.block_count': 30,
    });
  });
});

describe('inspect', () => {
  it('shows what people ask about', async () => {
    const { output, exitCode } = await run(['x.gguf']);
    expect(exitCode).toBe(0);
    for (const text of ['小模型', 'llama', '1.5 million', '8,192 tokens', '9, 3 for keys and values', '30']) {
      expect(output).toContain(text);
    }
    expect(output).toMatch(/^Q4_K\s+2\s+1\.5 million\s+843\.8 kB\s+4\.50\s+100\.0 %$/m);
    expect(output).toContain('yes, 14 characters');
  });

  it('reads remote models where they are, and looks for paths on this machine only', async () => {
    const remote = await run(['hf:a/b:Q8_0', '--endpoint', 'https://mirror.example', '--offline']);
    const given = { endpoint: 'https://mirror.example', offline: true };
    expect(remote).toMatchObject({ resolved: [], read: [['hf:a/b:Q8_0', given]] });
    const local = await run(['x.gguf']);
    expect(local).toMatchObject({
      resolved: [['x.gguf', { offline: true }]],
      read: [['/models/x.gguf', {}]],
    });
  });

  it('tells how much memory the model takes, and whether this machine has it', async () => {
    const { output } = await run(['x', '--context-size', '8192', '--cache-type', 'q8_0']);
    expect(output).toMatch(/^Memory for +8,192 tokens, cached as q8_0$/m);
    expect(output).toMatch(/^Fits +memory: /m);
    expect(output).toMatch(/^Does not fit +Small Card: .* of 1\.0 MB, 500\.0 kB of it free now$/m);
    expect(output).toMatch(/^ *WEIGHTS +KV CACHE +COMPUTE +OUTPUT +TOTAL$/m);
    const { memory } = JSON.parse((await run(['x', '--json'])).output);
    expect(memory.estimate).toMatchObject({ weightBytes: 844_150, contextSize: 4096, isCacheExact: true });
    expect(memory.places).toHaveLength(2);
  });

  it('needs no compiled addon', async () => {
    const context = createTestContext({
      library: {
        resolveModel: async () => 'x',
        readGgufHeaders: async () => [header],
        summarizeGguf,
        estimateMemory,
        getDevices: async () => {
          throw createError('ADDON_NOT_FOUND', 'There is none.');
        },
        listCachedModels: async () => [],
        findSpecialTokens,
      },
    });
    expect(await runCommandLine(['inspect', 'x'], context)).toBe(0);
    expect(context.outputStream.text).toContain('TOTAL');
  });

  it('lists the tensors with --tensors', async () => {
    expect((await run(['x', '--tensors'])).output).toMatch(/^b +Q4_K +1000 × 500 +281\.3 kB$/m);
    expect(JSON.parse((await run(['x', '--tensors', '--json'])).output).tensors).toHaveLength(3);
  });

  it('refuses a type that no cache has', async () => {
    const result = await run(['x', '--cache-type', 'q1']);
    expect(result.exitCode).toBe(2);
    expect(result.notes).toContain('q8_0');
  });

  it('prints the template alone with --template', async () => {
    expect((await run(['x', '--template'])).output).toBe('{{ messages }}\n');
  });

  it('fails with --template where there is none', async () => {
    const result = await run(['x', '--template'], headerWith([]));
    expect(result).toMatchObject({ exitCode: 1, output: '' });
    expect(result.notes).toContain('no chat template');
  });

  it('prints JSON with all metadata', async () => {
    const parsed: unknown = JSON.parse((await run(['x', '--json'])).output);
    expect(parsed).toMatchObject({ architecture: 'llama', metadata: { 'general.name': '小模型' } });
  });

  it('adds up the files of a split model', async () => {
    const split: [string, GgufValue][] = [['split.count', { type: 'uint16', value: 2 }]];
    const parts = [headerWith([...header.metadata, ...split], [tensor('a', [100], 'F32', 400)])];
    parts.push(headerWith(split, [tensor('b', [300], 'F32', 1200)]));
    const { output } = await run(['x'], parts);
    expect(output).toMatch(/^F32 +2 +400 +1\.6 kB/m);
    expect(output).toContain('2 files, 5.0 MB');
  });
});

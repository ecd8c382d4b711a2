import { describe, expect, it } from 'vitest';
import { plainMetadata } from '../../lib/cli/inspect/plain-metadata.js';
import type { Library } from '../../lib/cli/library.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { createError } from '../../lib/errors.js';
import { type GgufHeader, type GgufTensorInfo, type GgufValue, summarizeGguf } from '../../lib/gguf/index.js';
import { findSpecialTokens } from '../../lib/gguf/special-tokens.js';
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

async function run(programArguments: string[], of: GgufHeader = header) {
  const resolved: unknown[] = [];
  const resolveModel: Library['resolveModel'] = async (source, { signal: _, ...given } = {}) => {
    resolved.push([source, given]);
    return '/models/x.gguf';
  };
  const context = createTestContext({
    library: {
      resolveModel,
      readGgufMetadata: async () => ({ ...summarizeGguf(of), metadata: of.metadata }),
      listCachedModels: async () => [],
      findSpecialTokens,
    },
  });
  const exitCode = await runCommandLine(['inspect', ...programArguments], context);
  return { exitCode, resolved, output: context.outputStream.text, notes: context.notesStream.text };
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
    expect(output).toMatch(/^Q4_K\s+2\s+1\.5 million\s+843\.8 kB\s+100\.0 %$/m);
    expect(output).toContain('yes, 14 characters');
  });

  it('never downloads', async () => {
    expect((await run(['hf:a/b'])).resolved).toEqual([['hf:a/b', { offline: true }]]);
  });

  it('tells what is not downloaded', async () => {
    const resolveModel = async () => {
      throw createError('DOWNLOAD_FAILED', 'Offline mode forbids it.');
    };
    const context = createTestContext({ library: { resolveModel, listCachedModels: async () => [] } });
    expect(await runCommandLine(['inspect', 'hf:a/b'], context)).toBe(1);
    expect(context.notesStream.text).toContain('error: hf:a/b is not downloaded');
    expect(context.notesStream.text).toContain('code: MODEL_NOT_FOUND');
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

  it('says that a part of a split model is not the whole', async () => {
    const part = headerWith([['split.count', { type: 'uint16', value: 4 }]]);
    expect((await run(['x'], part)).notes).toContain('split into 4 files');
  });
});

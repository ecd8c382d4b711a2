import { readFile, truncate, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import * as adapterCheck from '../../lib/gguf/check-adapter.js';
import { checkAdapterFile, checkModelFile, type GgufHeader } from '../../lib/gguf/index.js';
import type { GgufTensorInput, GgufValueInput } from '../../lib/gguf/write.js';
import { type AdapterFileOptions, randomChanges, writeAdapter } from '../helpers/adapter-files.js';
import {
  filledTensor,
  rejection,
  strings,
  temporaryFile,
  text,
  uint32,
  writeBytes,
  writeTinyModel,
} from '../helpers/gguf-files.js';
import { readVendored } from '../helpers/vendored.js';

const columns = 64;
const rows = 32;
const experts = 3;

/** A model as far as the check looks: a matrix, embeddings, experts, and a matrix in NVFP4. */
const modelTensors = [
  filledTensor('token_embd.weight', [columns, 6], 'F16', columns * 6 * 2),
  filledTensor('output_norm.weight', [columns], 'F32', columns * 4),
  filledTensor('output.weight', [columns, 6], 'F16', columns * 6 * 2),
  filledTensor('blk.0.attn_q.weight', [columns, rows], 'F16', columns * rows * 2),
  filledTensor('blk.0.ffn_up_exps.weight', [columns, rows, experts], 'F16', columns * rows * experts * 2),
  filledTensor('blk.0.ffn_up.weight', [columns, rows], 'NVFP4', (columns / 64) * 36 * rows),
];

let model: GgufHeader;
beforeAll(async () => {
  model = await checkModelFile(await writeTinyModel({}, modelTensors));
});

function write(options: AdapterFileOptions = {}): Promise<string> {
  return writeAdapter(model, randomChanges(model), options);
}

/** A tensor of zeros in F32, or in another type with this many bytes. */
function zeros(name: string, dimensions: number[], type = 'F32', bytes?: number): GgufTensorInput {
  const count = dimensions.reduce((product, dimension) => product * dimension, 1);
  return filledTensor(name, dimensions, type, bytes ?? count * 4);
}

/** A pair of matrices with these shapes. */
function pair(name: string, a: number[], b: number[]): AdapterFileOptions {
  return { tensors: () => [zeros(`${name}.lora_a`, a), zeros(`${name}.lora_b`, b)] };
}

function float32(value: number): GgufValueInput {
  return { type: 'float32', value };
}

async function refusal(options: AdapterFileOptions, code: string, base = model): Promise<string> {
  return (await rejection(checkAdapterFile(await write(options), base), code)).message;
}

describe('the check before llama.cpp sees an adapter', () => {
  it.each<[string, AdapterFileOptions]>([
    ['as it is', {}],
    ['without alpha, which is no factor then', { metadata: { 'adapter.lora.alpha': undefined } }],
    ['of token embeddings', pair('token_embd.weight', [4, 6], [4, columns])],
    ['of experts', pair('blk.0.ffn_up_exps.weight', [columns, 4, experts], [4, rows, experts])],
    ['of rank 1', pair('blk.0.attn_q.weight', [columns, 1], [1, rows])],
    [
      'with norms, which are passed over',
      { tensors: (tensors) => [...tensors, zeros('blk.7.x_norm.weight', [3])] },
    ],
    ['aligned to 8 bytes, since it is not mapped', { metadata: { 'general.alignment': uint32(8) } }],
  ])('accepts one %s', async (_name, options) => {
    expect((await checkAdapterFile(await write(options), model)).tensors.length).toBeGreaterThanOrEqual(2);
  });

  it.each<[string, string, GgufValueInput | undefined, string, string]>([
    ['no type', 'general.type', undefined, 'MODEL_UNSUPPORTED', 'names no type'],
    ['a type that is no text', 'general.type', uint32(1), 'MODEL_INVALID', 'a value of type uint32'],
    ['an array as its type', 'general.type', strings('adapter'), 'MODEL_INVALID', 'a value of type array'],
    ['the type of a model', 'general.type', text('model'), 'MODEL_UNSUPPORTED', "received 'model'"],
    ['a type up to a zero byte', 'general.type', text('adapter\0'), 'MODEL_UNSUPPORTED', 'general.type'],
    ['no method', 'adapter.type', undefined, 'MODEL_INVALID', 'adapter.type is missing'],
    ['a method that is no text', 'adapter.type', float32(1), 'MODEL_INVALID', 'a value of type float32'],
    ['another method', 'adapter.type', text('control_vector'), 'MODEL_UNSUPPORTED', "'control_vector'"],
    ['no architecture', 'general.architecture', undefined, 'MODEL_INVALID', 'is missing'],
    ['an architecture that is no text', 'general.architecture', uint32(3), 'MODEL_INVALID', 'type uint32'],
    ['another architecture', 'general.architecture', text('qwen2'), 'ADAPTER_MISMATCH', "received 'qwen2'"],
    ['a whole number as alpha', 'adapter.lora.alpha', uint32(16), 'MODEL_INVALID', 'type uint32'],
    ['alpha of 64 bits', 'adapter.lora.alpha', { type: 'float64', value: 16 }, 'MODEL_INVALID', 'float64'],
    [
      'an alpha that is no number',
      'adapter.lora.alpha',
      float32(Number.NaN),
      'MODEL_INVALID',
      'received NaN',
    ],
    ['an endless alpha', 'adapter.lora.alpha', float32(Infinity), 'MODEL_INVALID', 'received Infinity'],
    [
      'an invocation of signed numbers',
      'adapter.alora.invocation_tokens',
      { type: 'array', elementType: 'int32', value: [1] },
      'MODEL_INVALID',
      'an array of int32',
    ],
    [
      'an invocation that is no array',
      'adapter.alora.invocation_tokens',
      uint32(1),
      'MODEL_INVALID',
      'uint32',
    ],
    [
      'an invocation',
      'adapter.alora.invocation_tokens',
      { type: 'array', elementType: 'uint32', value: [1, 2] },
      'MODEL_UNSUPPORTED',
      'aLoRA',
    ],
    ['other files', 'split.count', { type: 'uint16', value: 2 }, 'MODEL_UNSUPPORTED', 'several files'],
  ])('refuses one with %s', async (_name, key, value, code, reason) => {
    expect(await refusal({ metadata: { [key]: value } }, code)).toContain(reason);
  });

  const query = 'blk.0.attn_q.weight';
  it.each<[string, AdapterFileOptions, string, string]>([
    ['no tensors', { tensors: () => [] }, 'MODEL_INVALID', 'changes no tensor'],
    ['norms only', { tensors: () => [zeros('blk.0.attn_norm.weight', [4])] }, 'MODEL_INVALID', 'no tensor'],
    [
      'B missing',
      { tensors: (tensors) => tensors.slice(0, 1) },
      'MODEL_INVALID',
      `${query}.lora_b' is missing`,
    ],
    ['A missing', { tensors: (tensors) => tensors.slice(1) }, 'MODEL_INVALID', `${query}.lora_a' is missing`],
    [
      'a tensor of another name',
      { tensors: (tensors) => [...tensors, zeros(`${query}.lora_c`, [4])] },
      'MODEL_INVALID',
      `received '${query}.lora_c'`,
    ],
    [
      'a name that llama.cpp would shorten twice',
      pair(`${query}.lora_a`, [columns, 4], [4, rows]),
      'ADAPTER_MISMATCH',
      'does not have',
    ],
    [
      'a tensor of another model',
      pair('blk.9.attn_q.weight', [columns, 4], [4, rows]),
      'ADAPTER_MISMATCH',
      'blk.9',
    ],
    ['longer rows', pair(query, [columns + 1, 4], [4, rows]), 'ADAPTER_MISMATCH', 'received [65, 4, 1, 1]'],
    [
      'more rows',
      pair(query, [columns, 4], [4, rows + 1]),
      'ADAPTER_MISMATCH',
      'expected the shape [4, 32, 1, 1]',
    ],
    ['two ranks', pair(query, [columns, 4], [5, rows]), 'MODEL_INVALID', 'received 4 and 5'],
    ['rank 0', pair(query, [columns, 0], [0, rows]), 'MODEL_INVALID', 'received 0 and 0'],
    ['a third dimension', pair(query, [columns, 4, 2], [4, rows]), 'ADAPTER_MISMATCH', '[64, 4, 2, 1]'],
    ['a fourth dimension', pair(query, [columns, 4], [4, rows, 1, 2]), 'ADAPTER_MISMATCH', '[4, 32, 1, 2]'],
    [
      'matrices for fewer experts',
      pair('blk.0.ffn_up_exps.weight', [columns, 4, 2], [4, rows, 2]),
      'ADAPTER_MISMATCH',
      'ffn_up_exps',
    ],
    [
      'embeddings the wrong way round',
      pair('token_embd.weight', [columns, 4], [4, 6]),
      'MODEL_INVALID',
      'received 64 and 4',
    ],
    ['embeddings of two ranks', pair('token_embd.weight', [5, 6], [4, columns]), 'MODEL_INVALID', '5 and 4'],
    [
      'embeddings of more tokens',
      pair('token_embd.weight', [4, 7], [4, columns]),
      'ADAPTER_MISMATCH',
      '[4, 7, 1, 1]',
    ],
    [
      'a matrix in NVFP4 below it',
      pair('blk.0.ffn_up.weight', [columns, 4], [4, rows]),
      'MODEL_UNSUPPORTED',
      'NVFP4',
    ],
    [
      'whole numbers as weights',
      { tensors: ([, b]) => [zeros(`${query}.lora_a`, [columns, 4], 'I32'), ...(b ? [b] : [])] },
      'MODEL_UNSUPPORTED',
      'received I32',
    ],
  ])('refuses one with %s', async (_name, options, code, reason) => {
    expect(await refusal(options, code)).toContain(reason);
  });

  it('refuses changed embeddings where the model multiplies with them at its end, too', async () => {
    const tied = modelTensors.filter(({ name }) => name !== 'output.weight');
    const base = await checkModelFile(await writeTinyModel({}, tied));
    const options = pair('token_embd.weight', [4, 6], [4, columns]);
    expect(await refusal(options, 'MODEL_UNSUPPORTED', base)).toContain('output.weight');
  });

  it('refuses one that was cut, one with a gap, and what is no GGUF file', async () => {
    const cut = await write();
    await truncate(cut, (await readFile(cut)).length - 40);
    expect((await rejection(checkAdapterFile(cut, model), 'MODEL_INVALID')).message).toContain('truncated');

    const gap = await write();
    const bytes = await readFile(gap);
    const end = bytes.indexOf('.lora_b') + '.lora_b'.length;
    bytes.writeBigUInt64LE(32n, end + 4 + 8 + 8 + 4);
    await writeFile(gap, bytes);
    expect((await rejection(checkAdapterFile(gap, model), 'MODEL_INVALID')).message).toContain(
      'should start at',
    );

    await rejection(checkAdapterFile(await writeBytes('no adapter'), model), 'MODEL_INVALID');
    await rejection(checkAdapterFile(await temporaryFile('none.gguf'), model), 'MODEL_NOT_FOUND');
  });

  it('finds the tensors of a model in all its files', async () => {
    const uint16 = (value: number): GgufValueInput => ({ type: 'uint16', value });
    const part = (index: number) => ({ 'split.no': uint16(index), 'split.count': uint16(2) });
    const first = await writeTinyModel(part(0), modelTensors.slice(0, 3), 'm-00001-of-00002.gguf');
    const second = await writeTinyModel(part(1), modelTensors.slice(3), 'm-00002-of-00002.gguf');
    await writeFile(first.replace('00001-of', '00002-of'), await readFile(second));
    const base = await checkModelFile(first);
    expect((await checkAdapterFile(await write(), base)).tensors.length).toBe(2);
  });
});

describe('several adapters', () => {
  it('are refused where llama.cpp has no room for them in its graphs', async () => {
    const adapter = await checkAdapterFile(await write(), model);
    const base = await checkModelFile(
      await writeTinyModel({ 'general.architecture': text('qwen35') }, modelTensors),
    );
    const room = base.tensors.length;
    adapterCheck.checkAdapterCount(base, new Array(room).fill(adapter));
    expect(() => adapterCheck.checkAdapterCount(base, new Array(room + 1).fill(adapter))).toThrow(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }),
    );
    adapterCheck.checkAdapterCount(model, new Array(room + 1).fill(adapter));
  });

  it('are counted with all architectures whose graphs have a fixed size', async () => {
    const source = await readVendored('src', 'llama-context.cpp');
    const body = /uint32_t llama_context::graph_max_nodes[\s\S]*?\n}\n/.exec(source)?.[0] ?? '';
    const listed = new Set([...body.matchAll(/LLM_ARCH_(\w+)/g)].map(([, name]) => name?.toLowerCase()));
    const rules = await import('../../lib/gguf/architecture-rules.js');
    const known = [...rules.architecturesWithFixedGraphs].map((name) => name.replaceAll('-', '_'));
    expect(known.sort()).toEqual([...listed].sort());
  });
});

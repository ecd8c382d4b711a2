import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import * as rules from '../../lib/gguf/architecture-rules.js';
import { checkModelFile, type GgufValueInput } from '../../lib/gguf/index.js';
import {
  bestTime,
  filledTensor,
  type MetadataChanges,
  rejection,
  strings,
  text,
  tinyTensors,
  uint32,
  writeTinyModel,
} from '../helpers/gguf-files.js';
import { testModelPath } from '../helpers/model.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';

const vocabularies = (await readdir(vendoredPath('models'))).filter((name) => name.endsWith('.gguf'));

/** The tiny model as another architecture, with all its keys. */
function asArchitecture(name: string, changes: MetadataChanges = {}): MetadataChanges {
  const keys: Record<string, GgufValueInput | undefined> = { 'general.architecture': text(name) };
  const numbers = {
    block_count: 2,
    context_length: 128,
    embedding_length: 64,
    'attention.head_count': 4,
    'rope.dimension_count': 16,
  };
  for (const [key, value] of Object.entries(numbers)) {
    keys[`${name}.${key}`] = uint32(value);
  }
  return { ...keys, ...changes };
}

function float32(value: number): GgufValueInput {
  return { type: 'float32', value };
}

function uint32s(...value: number[]): GgufValueInput {
  return { type: 'array', elementType: 'uint32', value };
}

async function refusal(
  changes: MetadataChanges,
  tensors = tinyTensors,
  code = 'MODEL_INVALID',
): Promise<string> {
  return (await rejection(checkModelFile(await writeTinyModel(changes, tensors)), code)).message;
}

describe('the check before llama.cpp sees a file', () => {
  it('accepts the vocabularies of the vendored tree', async () => {
    expect(vocabularies.length).toBeGreaterThanOrEqual(15);
    for (const name of vocabularies) {
      await checkModelFile(vendoredPath('models', name));
    }
  });

  it('accepts a real model within 100 ms', async () => {
    const path = await testModelPath();
    expect((await checkModelFile(path)).tensors.length).toBe(272);
    expect(await bestTime(() => checkModelFile(path))).toBeLessThan(100);
  });

  it.each<[string, MetadataChanges]>([
    ['as it is', {}],
    ['with a mixture of experts', { 'llama.expert_count': uint32(8), 'llama.expert_used_count': uint32(2) }],
    ['with another number of heads in each layer', { 'llama.attention.head_count': uint32s(4, 2) }],
    ['without hyperparameters, which is an ordinary error later', { 'llama.block_count': undefined }],
    ['without a tokenizer', { 'tokenizer.ggml.model': text('none'), 'llama.vocab_size': uint32(6) }],
    ['without attention', asArchitecture('mamba', { 'mamba.attention.head_count': uint32(0) })],
    [
      'with rope on a part of each head',
      asArchitecture('gptneox', { 'gptneox.rope.dimension_count': uint32(4) }),
    ],
  ])('accepts a small model %s', async (_name, changes) => {
    expect((await checkModelFile(await writeTinyModel(changes))).version).toBe(3);
  });

  it.each<[string, MetadataChanges, string]>([
    [
      'queries that are not whole heads',
      asArchitecture('lfm2', {
        'lfm2.attention.head_count': uint32(8),
        'lfm2.attention.key_length': uint32(16),
      }),
      'attention.head_count is 8; expected 4',
    ],
    [
      'token shifts of three',
      asArchitecture('rwkv7', { 'rwkv7.token_shift_count': uint32(3) }),
      'expected 2',
    ],
    [
      'heads that do not divide the embeddings',
      asArchitecture('rwkv7', { 'rwkv7.wkv.head_size': uint32(128) }),
      'a multiple of 64 that divides 64',
    ],
    ['no architecture', { 'general.architecture': undefined }, 'general.architecture'],
    ['no layers', { 'llama.block_count': uint32(0) }, '1 to 512'],
    ['513 layers', { 'llama.block_count': uint32(513) }, '1 to 512'],
    [
      'more prediction layers than layers',
      { 'llama.nextn_predict_layers': uint32(3) },
      'nextn_predict_layers',
    ],
    ['too many experts', { 'llama.expert_count': uint32(1025) }, '1024 at most'],
    ['experts of which none is used', { 'llama.expert_count': uint32(8) }, 'expert_used_count is 0'],
    [
      'more experts in use than there are in one layer',
      { 'llama.expert_count': uint32(4), 'llama.expert_used_count': uint32s(2, 5) },
      'expert_used_count is 5',
    ],
    [
      'expert groups that do not divide the experts',
      {
        'llama.expert_count': uint32(8),
        'llama.expert_used_count': uint32(2),
        'llama.expert_group_count': uint32(3),
      },
      'a divisor of 8',
    ],
    [
      'no expert group in use',
      {
        'llama.expert_count': uint32(8),
        'llama.expert_used_count': uint32(2),
        'llama.expert_group_count': uint32(2),
      },
      'expert_group_used_count is 0',
    ],
    ['an architecture of experts without any', asArchitecture('qwen3moe'), 'expert_count is missing'],
    ['an unknown rope scaling', { 'llama.rope.scaling.type': text('other') }, 'rope.scaling.type'],
    ['a negative epsilon', { 'llama.attention.layer_norm_rms_epsilon': float32(-1) }, 'epsilon is -1'],
    [
      'an epsilon that is no number',
      { 'llama.attention.layer_norm_rms_epsilon': float32(Number.NaN) },
      'NaN',
    ],
    [
      'rope on a part of a head where all is wanted',
      { 'llama.rope.dimension_count': uint32(8) },
      'expected 16',
    ],
    [
      'rope on nothing',
      asArchitecture('gemma', { 'gemma.rope.dimension_count': uint32(0) }),
      'an even number',
    ],
    [
      'rope on an odd number',
      asArchitecture('gemma', { 'gemma.rope.dimension_count': uint32(7) }),
      'an even number',
    ],
    [
      'rope on more than a head',
      asArchitecture('gemma', { 'gemma.rope.dimension_count': uint32(18) }),
      'up to 16',
    ],
    ['values longer than keys', { 'llama.attention.value_length': uint32(32) }, 'the length of a key'],
    ['heads that cannot share keys', { 'llama.attention.head_count_kv': uint32(3) }, 'a divisor of 4'],
    [
      'no heads to divide by',
      asArchitecture('olmo2', { 'olmo2.attention.head_count': uint32(0) }),
      'head_count is 0',
    ],
    ['a count of 0 that is divided by', { 'llama.ssm.group_count': uint32(0) }, 'ssm.group_count is 0'],
    ['no sizes for positions in two dimensions', asArchitecture('qwen2vl'), 'rope.dimension_sections'],
    [
      'a sliding window that no layer uses',
      asArchitecture('gemma3', {
        'gemma3.attention.sliding_window': uint32(64),
        'gemma3.attention.sliding_window_pattern': uint32(1),
      }),
      'sliding_window_pattern',
    ],
  ])('refuses a model with %s', async (_name, changes, reason) => {
    expect(await refusal(changes)).toContain(reason);
  });

  it.each<[string, MetadataChanges, string]>([
    ['no tokens', { 'tokenizer.ggml.tokens': strings() }, 'is empty'],
    ['a token twice', { 'tokenizer.ggml.tokens': strings('a', 'b', 'c', 'd', 'b', 'e') }, 'tokens 1 and 4'],
    [
      'tokens that are equal up to a zero byte',
      { 'tokenizer.ggml.tokens': strings('a\0b', 'a') },
      'tokens 0 and 1',
    ],
    [
      'a token named as llama.cpp names an empty one',
      { 'tokenizer.ggml.tokens': strings('', '[EMPTY_0]', 'c', 'd', 'e', 'f') },
      'tokens 0 and 1',
    ],
    [
      'fewer scores than tokens',
      { 'tokenizer.ggml.scores': { type: 'array', elementType: 'float32', value: [1] } },
      '1 elements for 6 tokens',
    ],
    [
      'byte tokens in a WordPiece vocabulary',
      { 'tokenizer.ggml.model': text('bert') },
      'token 5 is a byte token',
    ],
    [
      'a token of 5000 bytes in a trie',
      { 'tokenizer.ggml.model': text('t5'), 'tokenizer.ggml.tokens': strings('x'.repeat(5000)) },
      '5000 bytes',
    ],
    [
      'no token for a byte that begins one, which RWKV would look for without end',
      {
        'tokenizer.ggml.model': text('rwkv'),
        'tokenizer.ggml.tokens': strings('\\n', 'a', 'b', 'cd', 'd', 'e'),
      },
      'single byte 99',
    ],
    [
      'no token to begin a text with',
      {
        'tokenizer.ggml.model': text('gpt2'),
        'tokenizer.ggml.add_bos_token': { type: 'bool', value: true },
      },
      'tokenizer.ggml.bos_token_id names none of the 6 tokens',
    ],
    [
      'no token to end a text with',
      {
        'tokenizer.ggml.model': text('gpt2'),
        'tokenizer.ggml.add_eos_token': { type: 'bool', value: true },
        'tokenizer.ggml.eos_token_id': uint32(6),
      },
      'eos_token_id',
    ],
    [
      'a plainly wrong number of dummy tokens',
      { 'tokenizer.ggml.model': text('none'), 'llama.vocab_size': uint32(2 ** 32 - 1) },
      'vocab_size',
    ],
  ])('refuses a vocabulary with %s', async (_name, changes, reason) => {
    const keepsTypes = 'tokenizer.ggml.tokens' in changes ? { 'tokenizer.ggml.token_type': undefined } : {};
    expect(await refusal({ ...keepsTypes, ...changes })).toContain(reason);
  });

  it.each([
    ['adapter', 'a LoRA adapter'],
    ['mmproj', 'image or audio part'],
    ['imatrix', 'an importance matrix'],
  ])('says that a file of type %s is no model', async (type, reason) => {
    expect(await refusal({ 'general.type': text(type) }, tinyTensors, 'MODEL_UNSUPPORTED')).toContain(reason);
  });

  it.each([
    ['a normalization in half precision', filledTensor('blk.0.attn_norm.weight', [64], 'F16', 128)],
    ['a quantized bias', filledTensor('blk.0.attn_q.bias', [64], 'Q8_0', 68)],
    ['a quantized vector', filledTensor('blk.0.ssm_d', [64], 'Q8_0', 68)],
    [
      'a short convolution in half precision',
      filledTensor('blk.0.shortconv.conv.weight', [3, 64], 'F16', 384),
    ],
    ['a matrix of whole numbers', filledTensor('blk.0.attn_q.weight', [64], 'I32', 256)],
    ['a matrix of a type for intermediate results', filledTensor('blk.0.ffn_up.weight', [64], 'Q8_1', 72)],
  ])('refuses %s, for which there is no kernel', async (_name, tensor) => {
    expect(await refusal({}, [tensor], 'MODEL_UNSUPPORTED')).toContain(tensor.name);
  });

  it('refuses tensors at places that a mapped file cannot serve', async () => {
    const changes = { 'general.alignment': uint32(1) };
    expect(await refusal(changes, tinyTensors, 'MODEL_UNSUPPORTED')).toContain('a multiple of 32 bytes');
  });

  it('knows only architectures that the vendored llama.cpp has', async () => {
    const source = await readVendored('src', 'llama-arch.cpp');
    const known = new Set([...source.matchAll(/LLM_ARCH_\w+,\s+"([^"]+)"/g)].map(([, name]) => name));
    const named = Object.values(rules).flatMap((rule) => (rule instanceof Set ? [...rule] : []));
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    expect(rules.countsNeverZero.filter((key) => !source.includes(`"%s.${key}"`))).toEqual([]);
  });
});

describe('tensor data', () => {
  it('is missed when the file was cut, with both sizes in the message', async () => {
    const path = await writeTinyModel();
    const whole = await readFile(path);
    await truncate(path, whole.length - 32 - 100);
    const error = await rejection(checkModelFile(path), 'MODEL_INVALID');
    expect(error.message).toContain(
      `its tensors need ${whole.length} bytes, the file has ${whole.length - 132}`,
    );
    expect(error.details).toMatchObject({ neededBytes: whole.length, fileSize: whole.length - 132 });
  });

  it('must follow each other without gap or overlap', async () => {
    const path = await writeTinyModel();
    const bytes = await readFile(path);
    const end = bytes.indexOf('output_norm.weight') + 'output_norm.weight'.length;
    bytes.writeBigUInt64LE(32n, end + 4 + 8 + 4);
    await writeFile(path, bytes);
    expect((await rejection(checkModelFile(path), 'MODEL_INVALID')).message).toContain('should start at 768');
  });
});

describe('a model in several files', () => {
  const uint16 = (value: number): GgufValueInput => ({ type: 'uint16', value });
  const part = (index: number): MetadataChanges => ({ 'split.no': uint16(index), 'split.count': uint16(2) });
  let first: string;
  let second: string;

  beforeAll(async () => {
    first = await writeTinyModel(part(0), tinyTensors, 'm-00001-of-00002.gguf');
    second = first.replace('00001-of', '00002-of');
  });

  it('is accepted by its first file when all are there', async () => {
    await writeFile(second, await readFile(await writeTinyModel(part(1))));
    expect((await checkModelFile(first)).tensors.length).toBe(2);
  });

  it('is not accepted by its second file, which names the first', async () => {
    await writeFile(second, await readFile(await writeTinyModel(part(1))));
    expect((await rejection(checkModelFile(second), 'MODEL_INVALID')).message).toContain(
      `name the first, ${first}`,
    );
  });

  it('must have all its files', async () => {
    const alone = await writeTinyModel(part(0), tinyTensors, 'alone-00001-of-00002.gguf');
    const error = await rejection(checkModelFile(alone), 'MODEL_NOT_FOUND');
    expect(error.message).toContain('File 2 of 2 of the model is missing');
  });

  it('must have whole files, each with its number', async () => {
    await writeFile(second, (await readFile(await writeTinyModel(part(1)))).subarray(0, -32 - 64));
    expect((await rejection(checkModelFile(first), 'MODEL_INVALID')).message).toContain('truncated');
    await writeFile(second, await readFile(await writeTinyModel({ ...part(1), 'split.no': uint32(1) })));
    expect((await rejection(checkModelFile(first), 'MODEL_INVALID')).message).toContain(
      'split.no is missing',
    );
  });

  it('must be named like one', async () => {
    const path = await writeTinyModel(part(0), tinyTensors, 'other.gguf');
    expect((await rejection(checkModelFile(path), 'MODEL_INVALID')).message).toContain(
      '-00001-of-00002.gguf',
    );
  });
});

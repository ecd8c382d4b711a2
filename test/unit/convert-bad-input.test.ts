import { cp, type FileHandle, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { supportedClassNames } from '../../lib/convert/architectures/index.js';
import {
  parseSafetensorsHeader,
  prefixLength,
  safetensorsHeaderLength,
} from '../../lib/convert/checkpoint/safetensors-header.js';
import { convert, LlamaNativeError } from '../../lib/index.js';
import { smallCheckpoints, writeSmallCheckpoint } from '../helpers/checkpoint-families.js';
import { randomNumbers } from '../helpers/checkpoint-weights.js';
import { encodeSafetensors, encodeSafetensorsParts } from '../helpers/safetensors.js';

let parent: string;
let whole: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'convert-bad-坏-'));
  const [first] = smallCheckpoints;
  whole = await writeSmallCheckpoint(parent, first as (typeof smallCheckpoints)[number]);
});

afterEach(() => {
  vi.restoreAllMocks();
});

afterAll(() => rm(parent, { recursive: true, force: true }));

/** A copy of the whole checkpoint, to spoil. */
async function copy(): Promise<string> {
  const folder = await mkdtemp(join(parent, 'copy-'));
  await cp(whole, folder, { recursive: true });
  return folder;
}

async function changeConfig(folder: string, change: Record<string, unknown>): Promise<void> {
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }));
}

async function failureOf(folder: string): Promise<LlamaNativeError> {
  const output = join(folder, 'output.gguf');
  const failure = await convert(folder, output, { type: 'f16' }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!LlamaNativeError.isInstance(failure)) throw new Error(`Expected a typed error, got ${failure}`);
  expect((await readdir(folder)).filter((name) => /gguf/.test(name))).toEqual([]);
  return failure;
}

const bytes = (count: number) => new Uint8Array(count);

function read(file: Buffer): unknown {
  const length = safetensorsHeaderLength('file', file.subarray(0, prefixLength), file.length);
  return parseSafetensorsHeader('file', file.subarray(prefixLength, prefixLength + length), file.length);
}

test('a safetensors file that is cut anywhere is refused', () => {
  const file = encodeSafetensors([
    { name: 'a', type: 'F32', shape: [4, 4], bytes: bytes(64) },
    { name: 'b', type: 'BF16', shape: [8], bytes: bytes(16) },
  ]);
  expect(read(file)).toHaveLength(2);
  for (let length = 0; length < file.length; length++) {
    expect(() => read(file.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_INVALID' }),
    );
  }
});

test('five thousand mutated safetensors files are read or refused with a typed error, and never beyond their end', () => {
  const random = randomNumbers(5);
  const whole = (limit: number) => Math.floor(random() * limit);
  const original = encodeSafetensors([
    { name: 'model.embed_tokens.weight', type: 'F32', shape: [4, 4], bytes: bytes(64) },
    { name: 'model.norm.weight', type: 'F16', shape: [8], bytes: bytes(16) },
    { name: 'lm_head.weight', type: 'BF16', shape: [2, 4], bytes: bytes(16) },
  ]);
  const headerEnd = original.length - 96;
  const pieces = [
    '9',
    '-',
    '1e99',
    '"',
    '[',
    '{',
    'null',
    '18446744073709551616',
    '"F64"',
    '0.5',
    '[[[[',
    '\\u0000',
  ];
  let refused = 0;
  for (let round = 0; round < 5000; round++) {
    let file = Buffer.from(original);
    for (let change = 0; change <= whole(3); change++) {
      const place = whole(headerEnd);
      if (random() < 0.5) file[place] = whole(256);
      else
        file = Buffer.concat([
          file.subarray(0, place),
          Buffer.from(pieces[whole(pieces.length)] as string),
          file.subarray(place),
        ]);
    }
    try {
      for (const { start, byteSize } of read(file) as { start: number; byteSize: number }[]) {
        expect(start + byteSize).toBeLessThanOrEqual(file.length);
      }
    } catch (error) {
      expect(LlamaNativeError.isInstance(error) && error.code).toMatch(/^CHECKPOINT_(INVALID|UNSUPPORTED)$/);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(3000);
});

test('three hundred checkpoints with mutated files are converted or refused with a typed error', async () => {
  const random = randomNumbers(7);
  const [, checkpoint] = smallCheckpoints;
  const folder = await writeSmallCheckpoint(
    join(parent, 'mutated'),
    checkpoint as (typeof smallCheckpoints)[number],
  );
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const path = join(folder, names[round % names.length] as string);
    const original = await readFile(path);
    const spoiled = Buffer.from(original);
    const reach = Math.min(spoiled.length, 3000);
    for (let change = 0; change < 2; change++)
      spoiled[Math.floor(random() * reach)] = Math.floor(random() * 128);
    await writeFile(path, spoiled);
    const failure: unknown = await convert(folder, join(parent, 'mutated.gguf'), { overwrite: true }).then(
      () => undefined,
      (error: unknown) => error,
    );
    await writeFile(path, original);
    if (failure === undefined) continue;
    expect(LlamaNativeError.isInstance(failure) ? failure.code : failure).toMatch(
      /^CHECKPOINT_|INVALID_ARGUMENT/,
    );
    refused++;
  }
  expect(refused).toBeGreaterThan(100);
}, 60_000);

test.each([
  ['overlap', [0, 64], [32, 96], /overlap/],
  ['leave a hole', [0, 64], [72, 136], /belong to no tensor/],
  ['end after the file', [0, 64], [64, 256], /data_offsets within/],
  ['run backwards', [64, 0], [64, 128], /data_offsets within/],
])('tensors whose offsets %s are refused', (_, first, second, message) => {
  const tensor = (offsets: number[]) => ({ dtype: 'F32', shape: [16], data_offsets: offsets });
  const file = encodeSafetensorsParts({ a: tensor(first), b: tensor(second) }, [bytes(136)]);
  expect(() => read(file)).toThrow(message);
});

test('a header that claims to be longer than the file allocates nothing', () => {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(2n ** 63n);
  expect(() => safetensorsHeaderLength('file', prefix, 1000)).toThrow(
    /received the length 9223372036854775808/,
  );
});

test('a missing shard is named', async () => {
  const folder = await copy();
  await rm(join(folder, 'model-00002-of-00003.safetensors'));
  expect(await failureOf(folder)).toMatchObject({
    code: 'CHECKPOINT_INVALID',
    message: expect.stringContaining('model-00002-of-00003.safetensors is missing'),
  });
  await rm(join(folder, 'model.safetensors.index.json'));
  expect((await failureOf(folder)).message).toContain('model-00002-of-00003.safetensors is missing');
});

test('an index that leads out of the folder is refused', async () => {
  const folder = await copy();
  const index = { weight_map: { 'model.norm.weight': '../../secret.safetensors' } };
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
  expect(await failureOf(folder)).toMatchObject({ code: 'CHECKPOINT_INVALID' });
});

test.each([
  'MambaForCausalLM',
  'MixtralForCausalLM',
  'GemmaForCausalLM',
  'RobertaModel',
  'XLMRobertaForSequenceClassification',
  'Qwen3ForSequenceClassification',
])('%s is refused by its name, with all that are supported and where else to look', async (architecture) => {
  const folder = await copy();
  await changeConfig(folder, { architectures: [architecture] });
  const call = convert(folder, join(folder, 'out.gguf'));
  const error = await call.catch((reason: unknown) => reason as LlamaNativeError);
  expect(error).toMatchObject({ code: 'CHECKPOINT_UNSUPPORTED', details: { architecture } });
  const { message } = error as LlamaNativeError;
  for (const name of [architecture, ...supportedClassNames]) expect(message).toContain(name);
  expect(message).toMatch(/GGUF file of it on the hub.*convert_hf_to_gguf/);
  expect(supportedClassNames.length).toBeGreaterThan(8);
});

test.each([
  ['num_attention_heads', 0],
  ['num_attention_heads', 'four'],
  ['num_attention_heads', 7],
  ['num_hidden_layers', 1],
  ['num_hidden_layers', -1],
  ['hidden_size', 1e300],
  ['vocab_size', 4e9],
  ['rope_scaling', { rope_type: 'yarn', factor: 'big' }],
  ['architectures', 'LlamaForCausalLM'],
])('a config.json with %s %j is refused', async (key, value) => {
  const folder = await copy();
  await changeConfig(folder, { [key]: value });
  expect((await failureOf(folder)).code).toMatch(/^CHECKPOINT_/);
});

test('a folder without config.json, weights or tokenizer says what it lacks', async () => {
  const folder = await copy();
  await rm(join(folder, 'tokenizer.model'));
  expect((await failureOf(folder)).message).toContain('tokenizer.json');
  for (const name of await readdir(folder)) if (name.endsWith('.safetensors')) await rm(join(folder, name));
  await rm(join(folder, 'model.safetensors.index.json'));
  expect((await failureOf(folder)).message).toContain('model.safetensors');
  await rm(join(folder, 'config.json'));
  expect((await failureOf(folder)).message).toContain('config.json');
  await expect(convert(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' });
});

test('a disk that becomes full leaves nothing behind and says so', async () => {
  const folder = await copy();
  const handle = await open(join(folder, 'config.json'));
  const prototype: Pick<FileHandle, 'write'> = Object.getPrototypeOf(handle);
  await handle.close();
  vi.spyOn(prototype, 'write').mockRejectedValue(
    Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }),
  );
  expect(await failureOf(folder)).toMatchObject({ code: 'DISK_FULL' });
});

test('a cancelled conversion leaves nothing behind and touches no input', async () => {
  const folder = await copy();
  const before = await readFile(join(folder, 'model-00001-of-00003.safetensors'));
  const controller = new AbortController();
  const output = join(folder, 'output.gguf');
  const conversion = convert(folder, output, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(conversion).rejects.toMatchObject({ code: 'ABORTED' });
  expect((await readdir(folder)).filter((name) => name.includes('gguf'))).toEqual([]);
  expect(await readFile(join(folder, 'model-00001-of-00003.safetensors'))).toEqual(before);
});

test('an output that exists or is an input is refused', async () => {
  const folder = await copy();
  const input = join(folder, 'model-00001-of-00003.safetensors');
  await expect(convert(folder, input, { overwrite: true })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  await writeFile(join(folder, 'output.gguf'), 'mine');
  await expect(convert(folder, join(folder, 'output.gguf'))).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
  expect(await readFile(join(folder, 'output.gguf'), 'utf8')).toBe('mine');
});

test('unknown options and types are refused by name', async () => {
  await expect(convert(whole, 'out.gguf', { tpye: 'f16' } as never)).rejects.toThrow(/tpye/);
  await expect(convert(whole, 'out.gguf', { type: 'q4_0' } as never)).rejects.toThrow(/f32, f16, bf16, q8_0/);
  await expect(convert(whole, 'out.gguf', { threads: 0 })).rejects.toThrow(/from 1 to 512 for threads/);
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convert, LlamaNativeError } from '../../lib/index.js';
import { randomNumbers } from '../helpers/checkpoint-weights.js';
import { quantizedTensors, smallCheckpoint, writeCheckpoint } from '../helpers/gptq-models.js';
import { type GptqLayout, quantizeConfig } from '../helpers/gptq-writer.js';
import { errorOf } from '../helpers/hub-fixtures.js';
import type { TensorToWrite } from '../helpers/safetensors.js';

const layout: GptqLayout = { bits: 4, groupSize: 32, symmetric: false, actOrder: false, format: 'gptq' };
const checkpoint = { ...smallCheckpoint('Llama-2-7b-chat-hf'), shardCount: 1 };
const layer = 'model.layers.1.mlp.up_proj';
let parent: string;
let tensors: readonly TensorToWrite[];

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'gptq-errors-'));
  tensors = quantizedTensors(checkpoint, layout).quantized;
});
afterAll(() => rm(parent, { recursive: true, force: true }));

/** Changes one tensor of a layer. */
function changed(
  name: string,
  change: (tensor: TensorToWrite) => TensorToWrite | undefined,
): TensorToWrite[] {
  return tensors.flatMap((tensor) => (tensor.name === name ? (change(tensor) ?? []) : tensor));
}

function copyOf({ bytes }: TensorToWrite): Buffer {
  return Buffer.from(bytes);
}

async function convertWith(
  written: readonly TensorToWrite[],
  settings: Readonly<Record<string, unknown>> | undefined = quantizeConfig(layout),
) {
  const folder = await mkdtemp(join(parent, 'model-'));
  const place = settings === undefined ? undefined : { place: 'config.json' as const, values: settings };
  await writeCheckpoint(folder, checkpoint, written, place);
  const output = join(folder, 'out.gguf');
  const result = await convert(folder, output).catch(async (error: unknown) => {
    await expect(readFile(output)).rejects.toThrow(/ENOENT/);
    throw error;
  });
  return result;
}

describe('damaged checkpoints are refused, naming what is wrong:', () => {
  test.each<[string, RegExp, () => TensorToWrite[]]>([
    [
      'scales are missing',
      /no tensor 'model\.layers\.1\.mlp\.up_proj\.scales'/,
      () => changed(`${layer}.scales`, () => undefined),
    ],
    ['zeros are missing', /no tensor '.*up_proj\.qzeros'/, () => changed(`${layer}.qzeros`, () => undefined)],
    [
      'scales of other shape',
      /expected the shape \[1, 96\] for '.*up_proj\.scales'/,
      () => changed(`${layer}.scales`, (tensor) => ({ ...tensor, shape: [1, 192] })),
    ],
    [
      'weights in one dimension',
      /expected two dimensions of I32 or U32/,
      () => changed(`${layer}.qweight`, (tensor) => ({ ...tensor, shape: [tensor.bytes.length / 4] })),
    ],
    [
      'weights of another type',
      /received F32 \[8, 96\]/,
      () => changed(`${layer}.qweight`, (tensor) => ({ ...tensor, type: 'F32' })),
    ],
    [
      'a group that there is not',
      /expected numbers from 0 to 1 in '.*g_idx', received 7 for input 5/,
      () =>
        changed(`${layer}.g_idx`, (tensor) => {
          const bytes = copyOf(tensor);
          bytes.writeInt32LE(7, 20);
          return { ...tensor, bytes };
        }),
    ],
    [
      'a negative group',
      /received -1 for input 0/,
      () =>
        changed(`${layer}.g_idx`, (tensor) => {
          const bytes = copyOf(tensor);
          bytes.writeInt32LE(-1, 0);
          return { ...tensor, bytes };
        }),
    ],
    [
      'a scale that is no number',
      /expected scales of at most 4094 in '.*up_proj\.scales', received NaN/,
      () =>
        changed(`${layer}.scales`, (tensor) => {
          const bytes = copyOf(tensor);
          bytes.writeUInt16LE(0x7e00, 10);
          return { ...tensor, bytes };
        }),
    ],
    [
      'an infinite scale',
      /received -Infinity/,
      () =>
        changed(`${layer}.scales`, (tensor) => {
          const bytes = copyOf(tensor);
          bytes.writeUInt16LE(0xfc00, 0);
          return { ...tensor, bytes };
        }),
    ],
    [
      'a layer that is missing',
      /blk\.1\.ffn_up\.weight' is missing/,
      () => tensors.filter(({ name }) => !name.startsWith(layer)),
    ],
  ])('%s', async (_, message, change) => {
    const error = await errorOf(convertWith(change()), 'CHECKPOINT_INVALID');
    expect(error.message).toMatch(message);
  });

  test('groups of unknown order', async () => {
    const without = changed(`${layer}.g_idx`, () => undefined);
    const settings = { ...quantizeConfig(layout), desc_act: true };
    const error = await errorOf(convertWith(without, settings), 'CHECKPOINT_INVALID');
    expect(error.message).toMatch(/no tensor '.*up_proj\.g_idx'.*desc_act/);
  });

  test('another group size than the tensors have', async () => {
    const error = await errorOf(
      convertWith(tensors, { ...quantizeConfig(layout), group_size: 128 }),
      'CHECKPOINT_INVALID',
    );
    expect(error.message).toMatch(/expected 1 groups of .* in groups of 128; received (2|3)/);
  });

  test('packed weights without settings', async () => {
    const folder = await mkdtemp(join(parent, 'model-'));
    await writeCheckpoint(folder, checkpoint, tensors);
    const error = await errorOf(convert(folder, join(folder, 'out.gguf')), 'CHECKPOINT_INVALID');
    expect(error.message).toMatch(/quantize_config\.json/);
  });

  test.each([
    [{ bits: 'four' }, /expected 4 or 8 as bits/],
    [{ group_size: 0 }, /group_size/],
    [{ group_size: 1.5 }, /group_size/],
    [{ desc_act: 'yes' }, /desc_act/],
  ])('settings %j', async (change, message) => {
    const error = await errorOf(
      convertWith(tensors, { ...quantizeConfig(layout), ...change }),
      'CHECKPOINT_INVALID',
    );
    expect(error.message).toMatch(message);
  });
});

describe('what cannot be converted is named, with what can:', () => {
  test.each([
    [{ bits: 2 }, /2 bits.*4 and 8 bits/],
    [{ bits: 3 }, /3 bits/],
    [{ quant_method: 'awq' }, /with AWQ/],
    [{ quant_method: 'bitsandbytes', load_in_4bit: true }, /with bitsandbytes/],
    [{ quant_method: 'exl2' }, /with EXL2/],
    [{ quant_method: 'fp8' }, /with FP8/],
    [{ quant_method: 'compressed-tensors' }, /with compressed-tensors/],
    [{ quant_method: '新方法' }, /with 新方法/],
    [{ checkpoint_format: 'marlin' }, /layout marlin/],
    [{ is_marlin_format: true }, /layout marlin/],
  ])('%j', async (change, message) => {
    const error = await errorOf(
      convertWith(tensors, { ...quantizeConfig(layout), ...change }),
      'CHECKPOINT_UNSUPPORTED',
    );
    expect(error.message).toMatch(message);
  });

  test('weights of EXL2 without settings', async () => {
    const folder = await mkdtemp(join(parent, 'model-'));
    await writeCheckpoint(folder, checkpoint, [
      { name: 'model.layers.0.mlp.up_proj.q_weight', type: 'I32', shape: [1], bytes: new Uint8Array(4) },
    ]);
    const error = await errorOf(convert(folder, join(folder, 'out.gguf')), 'CHECKPOINT_UNSUPPORTED');
    expect(error.message).toMatch(/EXL2/);
  });
});

describe('what some quantizers write is understood:', () => {
  test('no g_idx, where groups follow each other', async () => {
    const without = tensors.filter(({ name }) => !name.endsWith('.g_idx'));
    const { quantizedLayers } = await convertWith(without);
    expect(quantizedLayers?.every(({ type }) => type === 'Q4_1')).toBe(true);
  });

  test('biases of zeros in a model that has none', async () => {
    const biases = tensors
      .filter(({ name }) => name.endsWith('.qweight'))
      .map(({ name, shape: [, outputs = 0] }) => ({
        name: name.replace('.qweight', '.bias'),
        type: 'F16',
        shape: [outputs],
        bytes: new Uint8Array(outputs * 2),
      }));
    const { tensorCount } = await convertWith([...tensors, ...biases]);
    expect(tensorCount).toBe((await convertWith(tensors)).tensorCount);
  });

  test('layers with bits of their own', async () => {
    const { quantized } = quantizedTensors(checkpoint, { ...layout, bits: 8, symmetric: true });
    const mixed = tensors.map((tensor) =>
      tensor.name.startsWith(layer) ? (quantized.find(({ name }) => name === tensor.name) ?? tensor) : tensor,
    );
    const settings = { ...quantizeConfig(layout), dynamic: { '.*up_proj': { bits: 8 } } };
    const { quantizedLayers = [] } = await convertWith(mixed, settings);
    expect(quantizedLayers.filter(({ type }) => type === 'Q8_0').map(({ name }) => name)).toEqual([layer]);
  });
});

test('mutated checkpoints end in a typed error or in a file', async () => {
  const folder = join(parent, 'fuzz');
  await mkdir(folder);
  await writeCheckpoint(folder, checkpoint, tensors, {
    place: 'config.json',
    values: quantizeConfig(layout),
  });
  const originals = new Map<string, Buffer>();
  for (const name of ['model.safetensors', 'config.json'])
    originals.set(name, await readFile(join(folder, name)));
  const random = randomNumbers(20);
  const codes = new Set<string>();
  for (let round = 0; round < 150; round++) {
    const name = round % 3 === 0 ? 'config.json' : 'model.safetensors';
    const original = originals.get(name) as Buffer;
    // The header of a safetensors file is what is read, so most changes are in it.
    const reach = round % 3 === 1 ? original.length : Math.min(original.length, 6000);
    const bytes = Buffer.from(original);
    for (let change = 0; change <= round % 4; change++)
      bytes[Math.floor(random() * reach)] = Math.floor(random() * 256);
    await writeFile(
      join(folder, name),
      round % 10 === 9 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes,
    );
    try {
      await convert(folder, join(folder, 'out.gguf'), { overwrite: true });
      codes.add('converted');
    } catch (error) {
      if (!LlamaNativeError.isInstance(error)) throw error;
      expect(error.code).not.toBe('INTERNAL');
      codes.add(error.code);
    }
    await writeFile(join(folder, name), original);
  }
  expect(codes).toContain('converted');
  expect(codes).toContain('CHECKPOINT_INVALID');
});

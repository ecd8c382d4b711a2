import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Checkpoint } from '../../lib/convert/checkpoint/index.js';
import { gptqTensors, readGptqSettings } from '../../lib/convert/gptq/index.js';
import { unpackZeros } from '../../lib/convert/gptq/zeros.js';
import { rowsByteSize } from '../../lib/convert/tensors/convert-rows.js';
import { randomNumbers } from '../helpers/checkpoint-weights.js';
import { decodeBlocks } from '../helpers/decode-blocks.js';
import {
  type GptqLayout,
  type QuantizedLayer,
  quantizeConfig,
  quantizeLayer,
} from '../helpers/gptq-writer.js';
import { decodeHalf, encodeHalf } from '../helpers/half.js';
import { writeShards } from '../helpers/safetensors.js';

const outputs = 24;
const inputs = 256;
let parent: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'gptq-layers-'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

function matrix(): Float32Array {
  const random = randomNumbers(5);
  return Float32Array.from({ length: outputs * inputs }, () => (random() - 0.4) * (random() + 0.1) * 0.2);
}

async function convertLayer(layer: QuantizedLayer, layout: GptqLayout, type?: 'f16' | 'f32' | 'q8_0') {
  const folder = await mkdtemp(join(parent, 'layer-'));
  await writeShards(folder, layer.tensors);
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({ quantization_config: quantizeConfig(layout) }),
  );
  const checkpoint = await Checkpoint.open(folder);
  try {
    const settings = await readGptqSettings(checkpoint);
    if (settings === undefined) throw new Error('no settings');
    const { sources, results } = await gptqTensors(checkpoint, settings, {
      type,
      requantize: undefined,
      threads: 3,
    });
    const [source] = sources;
    if (source === undefined || sources.length !== 1) throw new Error('expected one tensor');
    expect(source.shape).toEqual([outputs, inputs]);
    const rowBytes = rowsByteSize(source.type, inputs, 1);
    const bytes = Buffer.alloc(rowBytes * outputs);
    // In pieces that do not fall together with anything.
    for (let row = 0; row < outputs; row += 7) {
      await source.read(
        row * rowBytes,
        bytes.subarray(row * rowBytes, Math.min(row + 7, outputs) * rowBytes),
      );
    }
    return { type: source.type, values: decodeBlocks(source.type, bytes), result: results()[0] };
  } finally {
    await checkpoint.close();
  }
}

function relativeError(values: Float64Array, exact: Float64Array): number {
  let error = 0;
  let sum = 0;
  for (const [index, weight] of exact.entries()) {
    error += ((values[index] as number) - weight) ** 2;
    sum += weight ** 2;
  }
  return Math.sqrt(error / sum);
}

const layouts = ([4, 8] as const).flatMap((bits) =>
  [32, 64, 128, -1].flatMap((groupSize) =>
    [true, false].flatMap((symmetric) =>
      (['gptq', 'gptq_v2'] as const).map((format) => ({
        bits,
        groupSize,
        symmetric,
        format,
        actOrder: false,
      })),
    ),
  ),
);

describe.each(layouts)('$bits bits, group size $groupSize, symmetric $symmetric, $format', (layout) => {
  const layer = quantizeLayer('layer', matrix(), outputs, inputs, layout);

  test('becomes blocks whose values are scale * (number - zero) in double precision, within what is promised', async () => {
    const { type, values, result } = await convertLayer(layer, layout);
    const error = relativeError(values, layer.weights);
    if (layout.symmetric) {
      expect(type).toBe(layout.bits === 4 ? 'Q4_0' : 'Q8_0');
      expect(values).toEqual(layer.weights);
    } else if (layout.bits === 4) {
      expect(type).toBe('Q4_1');
      // Only scale * zero is rounded, to a half: by 2^-11 of its size at most.
      const [, , scales] = layer.tensors;
      const halves = new Uint16Array(scales?.bytes.buffer as ArrayBuffer);
      const largest = Math.max(...Array.from(halves, decodeHalf)) * 15;
      for (const [index, weight] of layer.weights.entries()) {
        expect(Math.abs((values[index] as number) - weight)).toBeLessThanOrEqual(largest * 2 ** -11);
      }
      expect(error).toBeLessThan(0.002);
    } else {
      expect(type).toBe('Q8_0');
      expect(error).toBeLessThan(0.006);
    }
    expect(result?.relativeError).toBeCloseTo(error, 6);
    expect(result?.keepsNumbers).toBe(layout.bits === 4 || layout.symmetric);
  });

  test('becomes the nearest floats where floats are asked for', async () => {
    const { values } = await convertLayer(layer, layout, 'f32');
    expect(values).toEqual(Float64Array.from(layer.weights, Math.fround));
    const halves = await convertLayer(layer, layout, 'f16');
    expect(halves.values).toEqual(
      Float64Array.from(layer.weights, (value) => decodeHalf(encodeHalf(Math.fround(value)))),
    );
  });
});

describe.each([
  [4, true],
  [4, false],
  [8, true],
  [8, false],
] as const)('%i bits in order of importance, symmetric %s', (bits, symmetric) => {
  const layout = { bits, symmetric, groupSize: 64, format: 'gptq', actOrder: true } as const;

  test('become blocks of eight bits', async () => {
    const layer = quantizeLayer('layer', matrix(), outputs, inputs, layout);
    const { type, values, result } = await convertLayer(layer, layout);
    const error = relativeError(values, layer.weights);
    expect(type).toBe('Q8_0');
    expect(error).toBeLessThan(0.006);
    expect(result?.keepsNumbers).toBe(false);
    expect(result?.bitsPerWeight).toBe(8.5);
    expect(result?.relativeError).toBeCloseTo(error, 6);
  });

  test('become the nearest floats where floats are asked for', async () => {
    const layer = quantizeLayer('layer', matrix(), outputs, inputs, layout);
    const { values } = await convertLayer(layer, layout, 'f32');
    expect(values).toEqual(Float64Array.from(layer.weights, Math.fround));
  });
});

test('one group needs no order, so its numbers stay', async () => {
  const layout = { bits: 4, symmetric: false, groupSize: -1, format: 'gptq', actOrder: true } as const;
  const { type } = await convertLayer(quantizeLayer('layer', matrix(), outputs, inputs, layout), layout);
  expect(type).toBe('Q4_1');
});

describe('zeros', () => {
  test('that are stored minus one begin again at 0 after the largest', () => {
    expect([...unpackZeros(Uint32Array.of(0x0f7), 4, 'minus-one')].slice(0, 3)).toEqual([8, 0, 1]);
    expect([...unpackZeros(Uint32Array.of(0xff7f00), 8, 'minus-one')]).toEqual([1, 128, 0, 1]);
  });

  test('of GPTQModel are whole words minus one in each place, with what was borrowed', () => {
    const zeros = [0, 5, 8, 0, 15, 1, 2, 3];
    const word = zeros.reduce((sum, zero, index) => sum + zero * 16 ** index, 0);
    const stored = Uint32Array.of(word - 0x11111111);
    expect([...unpackZeros(stored, 4, 'words-minus-one')]).toEqual(zeros);
    expect([...unpackZeros(Uint32Array.of(word), 4, 'plain')]).toEqual(zeros);
  });

  test('of GPTQModel come back from words of any zeros, of 4 bits and of 8', () => {
    const random = randomNumbers(7);
    for (const bits of [4, 8] as const) {
      const zeros = Array.from({ length: 4096 / bits }, () => Math.floor(random() * 2 ** bits));
      // GPTQModel's writer: `qzeros -= 0x11111111` over int32, which wraps around.
      const words = packedBy((zero) => zero, zeros, bits).map((word) => word - wordOfOnes(bits));
      expect([...unpackZeros(words, bits, 'words-minus-one')]).toEqual(zeros);
    }
  });

  test('of AutoGPTQ come back up to the first zero that is 0 in a word; behind it nothing is left of them', () => {
    const stored = packedBy(
      (zero) => (zero - 1) >>> 0,
      [5, 0, 7, 8, 3, 9, 2, 1, 15, 14, 1, 2, 3, 4, 5, 6],
      4,
    );
    // What NumPy makes of them on x86: -1 becomes 32 ones, which are put over all that follow.
    expect([...stored].map((word) => word.toString(16))).toEqual(['fffffff4', '543210de']);
    expect([...unpackZeros(stored, 4, 'minus-one')]).toEqual([
      ...[5, 0, 0, 0, 0, 0, 0, 0],
      ...[15, 14, 1, 2, 3, 4, 5, 6],
    ]);
  });

  test.each([
    ['AutoGPTQ, which leaves no name', {}, 'minus-one'],
    ['GPTQModel', { meta: { quantizer: ['gptqmodel:1.4.5'] } }, 'words-minus-one'],
    ['GPTQModel as one text', { meta: { quantizer: 'GPTQModel:0.9.11' } }, 'words-minus-one'],
    [
      'GPTQModel through Optimum',
      { meta: { quantizer: ['optimum:1.24.0', 'gptqmodel:2.2.0'] } },
      'words-minus-one',
    ],
    ['another program', { meta: { quantizer: ['intel/auto-round:0.4.5'] } }, 'minus-one'],
    ['GPTQModel, as they are', { format: 'gptq_v2', meta: { quantizer: ['gptqmodel:1.4.5'] } }, 'plain'],
  ])('are read as %s stores them', async (_, values, zeroFormat) => {
    const settings = { bits: 4, group_size: 128, quant_method: 'gptq', format: 'gptq', ...values };
    const checkpoint = { folder: parent, config: { quantization_config: settings }, tensors: new Map() };
    expect(await readGptqSettings(checkpoint as unknown as Checkpoint)).toMatchObject({ zeroFormat });
  });

  test('without a 0 among them are the same for both writers, so it does not matter who wrote them', () => {
    const random = randomNumbers(8);
    for (const bits of [4, 8] as const) {
      const zeros = Array.from({ length: 4096 / bits }, () => 1 + Math.floor(random() * (2 ** bits - 1)));
      const ofAutoGptq = packedBy((zero) => (zero - 1) >>> 0, zeros, bits);
      const ofGptqModel = packedBy((zero) => zero, zeros, bits).map((word) => word - wordOfOnes(bits));
      expect(ofAutoGptq).toEqual(ofGptqModel);
      expect([...unpackZeros(ofAutoGptq, bits, 'minus-one')]).toEqual(zeros);
      expect([...unpackZeros(ofAutoGptq, bits, 'words-minus-one')]).toEqual(zeros);
    }
  });
});

/** Packs as both programs do: each number shifted to its place and put over what is in the word, unmasked. */
function packedBy(encode: (zero: number) => number, zeros: readonly number[], bits: 4 | 8): Uint32Array {
  const perWord = 32 / bits;
  const words = new Uint32Array(zeros.length / perWord);
  for (const [index, zero] of zeros.entries()) {
    const word = Math.floor(index / perWord);
    words[word] = (words[word] as number) | (encode(zero) << ((index % perWord) * bits));
  }
  return words;
}

function wordOfOnes(bits: 4 | 8): number {
  return bits === 4 ? 0x11111111 : 0x01010101;
}

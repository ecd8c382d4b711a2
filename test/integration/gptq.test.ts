import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConversionProgress, convert, loadModel, readGgufHeader } from '../../lib/index.js';
import { type BothForms, writeBothForms } from '../helpers/gguf-to-checkpoint.js';
import { writeQuantizedLayers, writeQuantizedModel } from '../helpers/gptq-models.js';
import type { GptqLayout } from '../helpers/gptq-writer.js';
import { testModelPath } from '../helpers/model.js';

let parent: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'gptq-模型-'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

async function logitsOf(path: string): Promise<Float32Array> {
  await using model = await loadModel(path, { threads: 1, contextSize: 64, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: 64, batchSize: 64 });
  try {
    await context.eval(await model.tokenize('the there 33 =='));
    return await context.logits();
  } finally {
    await context.close();
  }
}

function distance(values: Float32Array, reference: Float32Array): number {
  let error = 0;
  let sum = 0;
  for (const [index, value] of reference.entries()) {
    error += ((values[index] as number) - value) ** 2;
    sum += value ** 2;
  }
  return Math.sqrt(error / sum);
}

/**
 * Rounding to a step is off by the step / sqrt(12) in the mean, and the largest of 32 numbers, which is so many steps,
 * is sqrt(32) times their mean size at most.
 */
const roundingBound = (steps: number) => Math.sqrt(32 / 12) / steps;

const usual: GptqLayout = { bits: 4, groupSize: 32, symmetric: true, actOrder: false, format: 'gptq' };

/** Checkpoints, and the type that their layers become. */
const cases: [string, string, Partial<GptqLayout>, string][] = [
  ['Llama of three shards', 'Llama-2-7b-chat-hf', {}, 'Q4_0'],
  ['Llama with zeros', 'Llama-2-7b-chat-hf', { symmetric: false, groupSize: 64 }, 'Q4_1'],
  ['Llama with zeros as they are', 'Llama-2-7b-chat-hf', { symmetric: false, format: 'gptq_v2' }, 'Q4_1'],
  ['Llama in order of importance', 'Llama-2-7b-chat-hf', { actOrder: true, symmetric: false }, 'Q8_0'],
  ['Llama of 8 bits', 'Llama-2-7b-chat-hf', { bits: 8, groupSize: -1 }, 'Q8_0'],
  ['Qwen 2 with biases', 'Qwen2.5-0.5B-Instruct', { groupSize: -1, symmetric: false }, 'Q4_1'],
  ['Qwen 2 of 8 bits with zeros', 'Qwen2.5-0.5B-Instruct', { bits: 8, symmetric: false }, 'Q8_0'],
  ['Qwen 3', 'qwen3-tiny', { groupSize: 128 }, 'Q4_0'],
  ['Phi 3', 'phi-3-tiny', { symmetric: false }, 'Q4_1'],
];

describe.each(cases)('%s', (title, name, change, type) => {
  const layout = { ...usual, ...change };

  test('answers as the same weights in double precision do', async () => {
    const folder = await mkdtemp(join(parent, 'case-'));
    const model = await writeQuantizedModel(
      folder,
      name,
      layout,
      title.includes('Qwen') ? 'quantize_config.json' : 'config.json',
    );
    const reported: ConversionProgress[] = [];
    const output = join(folder, 'model.gguf');
    const result = await convert(model.folder, output, {
      onProgress: (progress) => {
        if (progress.stage === 'convert') reported.push(progress);
      },
    });
    const reference = join(folder, 'reference.gguf');
    await convert(model.reference, reference, { type: 'f32' });

    expect(result.type).toBe(type.toLowerCase());
    const layers = result.quantizedLayers ?? [];
    expect(layers.length).toBe(name === 'phi-3-tiny' ? 8 : 14);
    expect(new Set(layers.map((layer) => layer.type))).toEqual(new Set([type]));
    expect(Math.max(...layers.map((layer) => layer.relativeError))).toBeLessThan(roundingBound(127));
    const header = await readGgufHeader(output);
    expect(header.tensors.find((tensor) => tensor.name === 'blk.1.attn_output.weight')?.type).toBe(type);
    expect(reported.flatMap(({ layer }) => (layer === undefined ? [] : [layer.name])).sort()).toEqual(
      layers.map((layer) => layer.name).sort(),
    );

    // All layers in floats: what is left is the rounding of the embeddings to halves.
    const floats = join(folder, 'floats.gguf');
    await convert(model.folder, floats, { type: 'f32' });
    const expected = await logitsOf(reference);
    expect(distance(await logitsOf(floats), expected)).toBeLessThan(1e-6);
    // llama.cpp multiplies blocks with activations that it rounds to 8 bits, whatever the weights are.
    expect(distance(await logitsOf(output), expected)).toBeLessThan(0.05);
  });
});

describe('the weights of SmolLM2', () => {
  let both: BothForms;
  beforeAll(async () => {
    both = await writeBothForms(await testModelPath(), await mkdtemp(join(parent, 'smollm-')), 1);
  });

  /** Layouts, with the type that their layers become, and how far one matrix may be from what GPTQ says. */
  const layouts: [string, Partial<GptqLayout>, string, number][] = [
    ['4 bits, symmetric', { groupSize: 64 }, 'Q4_0', 0],
    ['4 bits with zeros', { groupSize: 32, symmetric: false }, 'Q4_1', 1e-3],
    ['4 bits with zeros as they are', { groupSize: -1, symmetric: false, format: 'gptq_v2' }, 'Q4_1', 1e-3],
    ['4 bits in order of importance', { groupSize: 128, actOrder: true }, 'Q8_0', roundingBound(127)],
    ['8 bits, symmetric', { bits: 8, groupSize: 128 }, 'Q8_0', 0],
    ['8 bits with zeros', { bits: 8, symmetric: false }, 'Q8_0', roundingBound(127)],
  ];

  test.each(layouts)('survive %s', { timeout: 60_000 }, async (_, change, type, bound) => {
    const folder = await mkdtemp(join(parent, 'layout-'));
    const model = await writeQuantizedLayers(both, folder, { ...usual, ...change });
    const blocks = await convert(model.folder, join(folder, 'blocks.gguf'));
    const floats = await convert(model.folder, join(folder, 'floats.gguf'), { type: 'f32' });
    const reference = await convert(model.reference, join(folder, 'reference.gguf'), { type: 'f32' });
    expect(blocks.quantizedLayers).toHaveLength(7);
    for (const layer of blocks.quantizedLayers ?? []) {
      expect(layer.type).toBe(type);
      expect(layer.relativeError).toBeLessThanOrEqual(bound);
    }
    const expected = await logitsOf(reference.path);
    expect(distance(await logitsOf(floats.path), expected)).toBeLessThan(1e-6);
    expect(distance(await logitsOf(blocks.path), expected)).toBeLessThan(0.05);
    await rm(folder, { recursive: true });
  });
});

test('symmetric layers are the same numbers in fewer bits, bit for bit', async () => {
  const folder = await mkdtemp(join(parent, 'exact-'));
  const model = await writeQuantizedModel(folder, 'Llama-2-7b-chat-hf', usual);
  const { quantizedLayers = [] } = await convert(model.folder, join(folder, 'model.gguf'));
  for (const layer of quantizedLayers) {
    expect(layer).toMatchObject({ keepsNumbers: true, relativeError: 0, bitsPerWeight: 4.5 });
  }
});

test.each(['q4_1', 'q5_1', 'q8_0', 'f16'] as const)(
  'scattered layers become %s on request',
  async (requantize) => {
    const folder = await mkdtemp(join(parent, 'requantize-'));
    const model = await writeQuantizedModel(folder, 'Llama-2-7b-chat-hf', { ...usual, actOrder: true });
    const result = await convert(model.folder, join(folder, 'model.gguf'), { requantize });
    const steps = { q4_1: 15 / 2, q5_1: 31 / 2, q8_0: 127, f16: 2048 }[requantize];
    expect(result.type).toBe(requantize);
    for (const layer of result.quantizedLayers ?? []) {
      expect(layer.type).toBe(requantize.toUpperCase());
      expect(layer.relativeError).toBeLessThan(roundingBound(steps));
      expect(layer.relativeError).toBeGreaterThan(0);
    }
  },
);

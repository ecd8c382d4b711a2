import { afterEach, describe, expect, it } from 'vitest';
import { residentSequences } from '../../lib/engine/resident-sequences.js';
import { estimateMemory, type MemoryOptions, readGgufHeader } from '../../lib/gguf/index.js';
import { getAddon, type ModelHandle, type NativeContext } from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import {
  expertsModel,
  gemmaModel,
  lfm2Model,
  llamaModel,
  mambaModel,
  rwkvModel,
} from '../helpers/model-shapes.js';
import { writeRandomModel } from '../helpers/random-models.js';

const opened: ModelHandle[] = [];

afterEach(async () => {
  const addon = getAddon();
  await Promise.all(opened.splice(0).map((model) => addon.closeModel(model)));
});

/** Creates the context that `loadModel` creates for these options, and tells what llama.cpp allocated for it. */
async function measure(path: string, options: MemoryOptions): Promise<NativeContext> {
  const addon = getAddon();
  const load = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
  const model = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
  opened.push(model);
  const { isRecurrent, slidingWindow: window } = addon.getModelInfo(model);
  const { slidingWindow, sequences = 1, contextSize = 4096, batchSize = 512, ...types } = options;
  const fullWindow = slidingWindow !== 'window' || window === 0;
  const settings = {
    ...types,
    contextSize,
    batchSize,
    fullWindow,
    sequences: sequences + (!isRecurrent && fullWindow ? residentSequences : 0),
    threads: 1,
  };
  const context = await addon.createContext(model, settings, () => {});
  await addon.closeContext(context.handle);
  return context;
}

async function compare(path: string, options: MemoryOptions): Promise<void> {
  const estimate = estimateMemory(await readGgufHeader(path), options);
  const actual = await measure(path, options);
  expect(estimate.contextSize).toBe(actual.contextSize);
  expect(estimate.isCacheExact).toBe(true);
  expect(estimate.cacheBytes).toBe(actual.cacheBytes);
  const actualTotal = estimate.weightBytes + estimate.outputBytes + actual.cacheBytes + actual.computeBytes;
  expect(Math.abs(estimate.totalBytes / actualTotal - 1)).toBeLessThan(0.05);
}

const settings: readonly MemoryOptions[] = [
  { contextSize: 1024 },
  { contextSize: 1000, batchSize: 64, sequences: 3 },
  { contextSize: 8192, keyType: 'q8_0', valueType: 'q8_0' },
  { contextSize: 2048, keyType: 'f32', valueType: 'q4_0', sequences: 8 },
  { contextSize: 16_384, slidingWindow: 'window', sequences: 2 },
];

describe('the estimate of memory', () => {
  it.each(settings)('is what llama.cpp allocates for the test model with %o', async (options) => {
    await compare(await testModelPath(), options);
  });

  it.each([llamaModel, gemmaModel, lfm2Model, mambaModel, rwkvModel, expertsModel])(
    'is what llama.cpp allocates for models of other kinds: %o',
    async (makeModel) => {
      const path = await writeRandomModel(makeModel());
      for (const options of settings) {
        // Their heads are too short for blocks of quantized keys.
        await compare(path, { ...options, keyType: 'f16', valueType: 'f16' });
      }
    },
  );
});

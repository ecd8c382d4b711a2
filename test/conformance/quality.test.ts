import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readImatrix } from '../../lib/evaluate/imatrix-file.js';
import { type Estimate, imatrix, loadModel, type Model, perplexity } from '../../lib/index.js';
import { temporaryFile } from '../helpers/gguf-files.js';
import { testModelPath } from '../helpers/model.js';
import { expertsModel, llamaModel } from '../helpers/model-shapes.js';
import {
  referenceDivergence,
  referencePerplexity,
  referenceStridedPerplexity,
  writeReferenceImatrix,
} from '../helpers/quality-reference.js';
import { writeRandomModel } from '../helpers/random-models.js';

const threads = 2;
/** One of a thousand, as the figures are promised to agree. */
const promise = 1e-3;

/** Texts of this project, in English and Chinese. */
async function readPages(characters: number): Promise<string> {
  const pages = ['../../README.md', '../../README.zh-CN.md'];
  const texts = await Promise.all(pages.map((page) => readFile(new URL(page, import.meta.url), 'utf8')));
  return texts.map((text) => text.slice(0, characters).trim()).join('\n');
}

function expectSame(actual: number, expected: number, tolerance = promise): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance * Math.abs(expected));
}

/** The tool prints four digits behind the point. */
function expectSameEstimate(actual: Estimate, expected: Estimate): void {
  expectSame(actual.value, expected.value);
  expectSame(actual.standardError, expected.standardError, 10 * promise);
}

async function expectSameImatrix(actualPath: string, expectedPath: string): Promise<void> {
  const [actual, expected] = [await readImatrix(actualPath), await readImatrix(expectedPath)];
  expect([...actual.entries.keys()].sort()).toEqual([...expected.entries.keys()].sort());
  expect(actual.chunkSize).toBe(expected.chunkSize);
  for (const [name, { sums, counts }] of actual.entries) {
    const reference = expected.entries.get(name);
    expect(counts, name).toEqual(reference?.counts);
    const difference = sums.reduce((sum, value, i) => sum + (value - (reference?.sums[i] ?? 0)) ** 2, 0);
    const scale = reference?.sums.reduce((sum, value) => sum + value ** 2, 0) ?? 0;
    // Sums of a hundred and more squares in single precision.
    expect(Math.sqrt(difference), name).toBeLessThanOrEqual(1e-4 * Math.sqrt(scale));
  }
}

describe('of a small model with random weights, over thousands of tokens in English and Chinese', () => {
  let text: string;
  let path: string;
  let otherPath: string;
  let model: Model;
  let other: Model;

  beforeAll(async () => {
    text = await readPages(5000);
    [path, otherPath] = [await writeRandomModel(llamaModel(1)), await writeRandomModel(llamaModel(2))];
    model = await loadModel(path, { threads, contextSize: 256 });
    other = await loadModel(otherPath, { threads, contextSize: 256 });
  });
  afterAll(async () => {
    await model.close();
    await other.close();
  });

  test('perplexity is that of llama-perplexity', async () => {
    const { perplexity: own, chunks } = await perplexity(model, text, { contextSize: 256 });
    expect(chunks).toBeGreaterThan(8);
    expectSameEstimate(own, await referencePerplexity({ modelPath: path, contextSize: 256, threads }, text));
  });

  test('perplexity with a stride is that of llama-perplexity', async () => {
    const chunks = 6;
    // The tool lengthens its context by half a stride, and then to a multiple of 256.
    const { perplexity: own } = await perplexity(model, text, { contextSize: 512, stride: 100, chunks });
    const settings = { modelPath: path, contextSize: 400, chunks, threads };
    expectSame(own.value, await referenceStridedPerplexity(settings, text, 100));
  });

  test('divergence and agreement are those of llama-perplexity, and each reads the files of the other', async () => {
    const contextSize = 128;
    const chunks = 6;
    const [ours, theirs] = [await temporaryFile('ours.logits'), await temporaryFile('theirs.logits')];
    const settings = { modelPath: path, contextSize, chunks, threads };
    await referencePerplexity(settings, text, ['--save-all-logits', theirs]);
    await perplexity(model, text, { contextSize, chunks, saveLogProbabilities: ours });
    const expected = await referenceDivergence({ modelPath: otherPath, contextSize, threads }, theirs);
    const fromOurs = await referenceDivergence({ modelPath: otherPath, contextSize, threads }, ours);
    expectSame(fromOurs.klDivergence, expected.klDivergence);
    for (const reference of [theirs, ours, model]) {
      const result = await perplexity(other, text, { contextSize, chunks, reference });
      const { comparison } = result;
      expectSame(result.perplexity.value, expected.perplexity);
      expectSame(comparison?.klDivergence.value ?? 0, expected.klDivergence);
      expectSame(comparison?.klDivergenceSpread.median ?? 0, expected.median);
      expectSame(comparison?.klDivergenceSpread.maximum ?? 0, expected.maximum);
      expect(comparison?.logPerplexityRatio.value).toBeCloseTo(expected.logRatio, 3);
      expect(comparison?.topAgreement.value).toBeCloseTo(expected.topAgreement, 3);
    }
  });

  test('the importance matrix of a model with experts is that of llama-imatrix', async () => {
    const modelPath = await writeRandomModel(expertsModel(3));
    const [ours, theirs] = [await temporaryFile('ours.gguf'), await temporaryFile('theirs.gguf')];
    const experts = await loadModel(modelPath, { threads, contextSize: 256 });
    try {
      const result = await imatrix(experts, text, { output: ours, contextSize: 256, chunks: 3 });
      expect(result.chunks).toBeGreaterThanOrEqual(3);
    } finally {
      await experts.close();
    }
    await writeReferenceImatrix({ modelPath, contextSize: 256, chunks: 3, threads }, text, theirs);
    await expectSameImatrix(ours, theirs);
  });
});

describe('of the test model', () => {
  const contextSize = 64;
  const chunks = 2;
  let text: string;
  let modelPath: string;
  let model: Model;

  beforeAll(async () => {
    text = await readPages(400);
    modelPath = await testModelPath();
    model = await loadModel(modelPath, { threads, contextSize: 256 });
  });
  afterAll(() => model.close());

  test('perplexity is that of llama-perplexity', async () => {
    const { perplexity: own } = await perplexity(model, text, { contextSize, chunks });
    expectSameEstimate(own, await referencePerplexity({ modelPath, contextSize, chunks, threads }, text));
  });

  test('the importance matrix is that of llama-imatrix', async () => {
    const [ours, theirs] = [await temporaryFile('ours.gguf'), await temporaryFile('theirs.gguf')];
    await imatrix(model, text, { output: ours, contextSize, chunks });
    await writeReferenceImatrix({ modelPath, contextSize, chunks, threads }, text, theirs);
    await expectSameImatrix(ours, theirs);
  });
});

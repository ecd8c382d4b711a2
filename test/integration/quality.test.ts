import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readImatrix } from '../../lib/evaluate/imatrix-file.js';
import { compare, imatrix, loadModel, type Model, perplexity } from '../../lib/index.js';
import { writeBertModel } from '../helpers/embedding-models.js';
import { rejection, temporaryFile } from '../helpers/gguf-files.js';
import { expertsModel, llamaModel } from '../helpers/model-shapes.js';
import { writeRandomModel } from '../helpers/random-models.js';

const settings = { threads: 1, contextSize: 256 };
/** About 1000 tokens, also in Chinese. */
const text = Array.from(
  { length: 120 },
  (_, i) => `Sentence ${i} of ${i * 7} tells of rivers. 第${i}句话。`,
).join(' ');

let path: string;
let model: Model;

beforeAll(async () => {
  path = await writeRandomModel(llamaModel(1));
  model = await loadModel(path, settings);
});
afterAll(() => model.close());

describe('perplexity', () => {
  test('tells figure, error, tokens and speed, and how far it is after each chunk', async () => {
    const seen: number[] = [];
    const result = await perplexity(model, text, {
      contextSize: 64,
      chunks: 5,
      onProgress: ({ completed, total }) => seen.push(completed / total),
    });
    expect(seen).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
    expect(result).toMatchObject({ chunks: 5, contextSize: 64, scoredTokens: 5 * 31, evaluatedTokens: 320 });
    expect(result.perplexity.value).toBeGreaterThan(100);
    expect(result.perplexity.standardError).toBeGreaterThan(0);
    expect(result.tokensPerSecond).toBeGreaterThan(0);
  });

  test('is the same in an isolated engine, and so is the comparison with a model of another process', async () => {
    const isolated = await loadModel(path, { ...settings, isolate: true });
    try {
      const options = { contextSize: 64, chunks: 3 };
      const [here, there] = [
        await perplexity(model, text, options),
        await perplexity(isolated, text, options),
      ];
      expect(there.perplexity.value).toBeCloseTo(here.perplexity.value, 6);
      const { comparison } = await perplexity(isolated, text, { ...options, reference: model });
      expect(comparison?.klDivergence.value).toBeCloseTo(0, 4);
      expect(comparison?.topAgreement.value).toBe(1);
    } finally {
      await isolated.close();
    }
  });

  test('of chunks longer than a batch is that of one batch', async () => {
    const long = await perplexity(model, text.repeat(4), { contextSize: 2560, chunks: 1 });
    expect(long.scoredTokens).toBe(1279);
    expect(long.perplexity.value).toBeGreaterThan(100);
  });

  test('refuses texts shorter than a chunk, empty ones and unknown options', async () => {
    await rejection(perplexity(model, 'Short.'), 'INVALID_ARGUMENT');
    await rejection(perplexity(model, ''), 'INVALID_ARGUMENT');
    await rejection(perplexity(model, text, { chunkSize: 4 } as never), 'INVALID_ARGUMENT');
    await rejection(perplexity({} as never, text), 'INVALID_ARGUMENT');
    await rejection(perplexity(model, text, { contextSize: 8 }), 'INVALID_ARGUMENT');
    await rejection(perplexity(model, text, { contextSize: 64, stride: 64 }), 'INVALID_ARGUMENT');
  });

  test('refuses a context larger than what the model was trained for', async () => {
    const error = await rejection(perplexity(model, text, { contextSize: 8192 }), 'INVALID_ARGUMENT');
    expect(error.message).toContain('4096');
  });

  test('refuses references that are damaged, of another text or another chunk size', async () => {
    const logits = await temporaryFile('参考.logits');
    const options = { contextSize: 64, chunks: 2 };
    await perplexity(model, text, { ...options, saveLogProbabilities: logits });
    await rejection(perplexity(model, text, { ...options, saveLogProbabilities: logits }), 'OUTPUT_EXISTS');
    await rejection(perplexity(model, `Other. ${text}`, { reference: logits }), 'REFERENCE_INVALID');
    await rejection(perplexity(model, text, { reference: logits, contextSize: 128 }), 'REFERENCE_INVALID');
    await truncate(logits, (await stat(logits)).size - 1);
    await rejection(perplexity(model, text, { reference: logits }), 'REFERENCE_INVALID');
    await writeFile(logits, 'nothing of the kind');
    await rejection(perplexity(model, text, { reference: logits }), 'REFERENCE_INVALID');
    await rejection(perplexity(model, text, { reference: `${logits}.none` }), 'FILE_ACCESS_FAILED');
  });

  test('refuses models without weights, and encoders', async () => {
    const vocabulary = await loadModel(path, { ...settings, vocabOnly: true });
    await rejection(perplexity(vocabulary, text, { contextSize: 64 }), 'NO_WEIGHTS');
    await vocabulary.close();
    const encoder = await loadModel(await writeBertModel(), settings);
    await rejection(perplexity(encoder, text, { contextSize: 64 }), 'MODEL_UNSUPPORTED');
    await encoder.close();
  });

  test('is cancelled, and leaves nothing half-written', async () => {
    const logits = await temporaryFile('cancelled.logits');
    const controller = new AbortController();
    const running = perplexity(model, text, {
      contextSize: 32,
      saveLogProbabilities: logits,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await rejection(running, 'ABORTED');
    await expect(stat(logits)).rejects.toThrow('ENOENT');
  });

  test('ends with CLOSED when the model is closed meanwhile', async () => {
    const closing = await loadModel(path, settings);
    const running = perplexity(closing, text.repeat(20), { contextSize: 64 });
    const failed = rejection(running, 'CLOSED');
    setTimeout(() => void closing.close(), 100);
    await failed;
    await rejection(perplexity(closing, text), 'CLOSED');
  });

  test('comes to an end with what a listener throws', async () => {
    const onProgress = () => {
      throw new TypeError('of the listener');
    };
    await expect(perplexity(model, text, { contextSize: 64, onProgress })).rejects.toThrow('of the listener');
  });
});

describe('imatrix', () => {
  const options = { contextSize: 64, chunks: 6, saveEvery: 2 };

  test('goes on where it was broken off, and is then the same as in one go', async () => {
    const [whole, parts] = [await temporaryFile('whole.gguf'), await temporaryFile('部分.gguf')];
    await imatrix(model, text, { ...options, output: whole });
    await imatrix(model, text, { ...options, chunks: 2, output: parts });
    const rest = await imatrix(model, text, { ...options, output: parts, from: parts });
    expect(rest).toMatchObject({ evaluatedChunks: 4, chunks: 6 });
    const [expected, actual] = [await readImatrix(whole), await readImatrix(parts)];
    expect(actual.progress).toEqual(expected.progress);
    for (const [name, { sums, counts }] of expected.entries) {
      expect(actual.entries.get(name)?.counts).toEqual(counts);
      expect(actual.entries.get(name)?.sums[0]).toBeCloseTo(sums[0] ?? 0, 1);
    }
    const nothing = await imatrix(model, text, { ...options, output: parts, from: parts });
    expect(nothing).toMatchObject({ evaluatedChunks: 0, chunks: 6 });
  });

  test('adds another text to earlier matrices', async () => {
    const [first, both] = [await temporaryFile('first.gguf'), await temporaryFile('both.gguf')];
    await imatrix(model, text, { ...options, output: first, dataset: 'one' });
    const result = await imatrix(model, text.slice(500), {
      ...options,
      output: both,
      from: first,
      dataset: 'two',
    });
    expect(result).toMatchObject({ evaluatedChunks: 6, chunks: 12 });
    expect((await readImatrix(both)).datasets).toEqual(['one', 'two']);
  });

  test('includes the output matrix if asked, and works in an isolated engine', async () => {
    const output = await temporaryFile('experts.gguf');
    const experts = await loadModel(await writeRandomModel(expertsModel(1)), { ...settings, isolate: true });
    const result = await imatrix(experts, text, { ...options, output, includeOutput: true });
    await experts.close();
    const { entries } = await readImatrix(output);
    expect(result.tensors).toBe(entries.size);
    const gates = entries.get('blk.0.ffn_gate_exps.weight');
    expect(gates?.counts.length).toBeGreaterThan(1);
    expect(gates?.counts.reduce((sum, count) => sum + count, 0)).toBe(384 * 2);
  });

  test('keeps what was saved when it is cancelled', async () => {
    const output = await temporaryFile('kept.gguf');
    const controller = new AbortController();
    const onProgress = ({ completed }: { completed: number }) => completed >= 40 && controller.abort();
    const long = text.repeat(5);
    const cancelled = imatrix(model, long, {
      contextSize: 64,
      output,
      saveEvery: 16,
      signal: controller.signal,
      onProgress,
    });
    await rejection(cancelled, 'ABORTED');
    const { progress } = await readImatrix(output);
    expect(progress?.completedChunks).toBeGreaterThanOrEqual(16);
  });

  test('refuses matrices that are damaged or of another model, and outputs that exist', async () => {
    const [output, other] = [await temporaryFile('output.gguf'), await temporaryFile('other.gguf')];
    await rejection(imatrix(model, text, { ...options, output, from: path }), 'IMATRIX_INVALID');
    await rejection(
      imatrix(model, text, { ...options, output, from: `${other}.none` }),
      'FILE_ACCESS_FAILED',
    );
    await imatrix(model, text, { ...options, chunks: 1, output: other });
    await rejection(imatrix(model, text, { ...options, output: other }), 'OUTPUT_EXISTS');
    const bytes = await readFile(other);
    await writeFile(output, bytes.subarray(0, bytes.length - 100));
    await rejection(imatrix(model, text, { ...options, output, from: output }), 'IMATRIX_INVALID');
    await rejection(imatrix(model, text, {} as never), 'INVALID_ARGUMENT');
  });
});

describe('compare', () => {
  test('measures quantizations, recommends one and draws them', async () => {
    const output = await temporaryFile('报告.svg');
    const { files, advice, recommended, plotPath } = await compare(path, {
      types: ['Q8_0', 'Q4_0'],
      text,
      contextSize: 64,
      chunks: 2,
      rounds: 1,
      threads: 1,
      output,
    });
    expect(files.map(({ name }) => name)).toEqual([expect.any(String), 'Q8_0', 'Q4_0']);
    expect(files[0]).toMatchObject({ isReference: true, path });
    const [, q8, q4] = files;
    expect(q8?.klDivergence.value).toBeLessThan(q4?.klDivergence.value ?? 0);
    expect(q4?.sizeBytes).toBeLessThan(q8?.sizeBytes ?? 0);
    for (const file of files) {
      expect(file.memoryBytes).toBeGreaterThan(1e6);
      expect(file.prefillTokensPerSecond).toBeGreaterThan(0);
      expect(file.decodeTokensPerSecond).toBeGreaterThan(0);
    }
    expect(advice).toContain(`Use ${recommended}`);
    expect(plotPath).toBe(output);
    expect(await readFile(output, 'utf8')).toContain('Q4_0');
  });

  test('refuses to compare with nothing, and an output that exists', async () => {
    await rejection(compare(path, { text }), 'INVALID_ARGUMENT');
    await rejection(compare(path, { text, types: ['Q9'] as never }), 'INVALID_ARGUMENT');
    const output = join(dirname(await temporaryFile('x.svg')), 'there.svg');
    await writeFile(output, '');
    await rejection(compare(path, { text, types: ['Q8_0'], output }), 'OUTPUT_EXISTS');
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadModelOptions, loadModel, type Model } from '../../lib/index.js';
import { compareWithReference, GreedyReference } from '../helpers/greedy-reference.js';
import { testModelPath } from '../helpers/model.js';
import { firstPrintable, printableCount, writeTinyGenerator } from '../helpers/tiny-generator.js';

const greedy = { temperature: 0, ignoreEndOfSequence: true } as const;
const exact = { threads: 1, contextSize: 1024, sequences: 4, keyType: 'f32', valueType: 'f32' } as const;

let directory: string;
let tiny: string;
let plain: Model;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-speculative-'));
  tiny = join(directory, 'tiny.gguf');
  await writeTinyGenerator(tiny);
  plain = await loadModel(tiny, exact);
});
afterAll(async () => {
  await plain.close();
  await rm(directory, { recursive: true });
});

/** Text of the tiny model's alphabet; with `period`, it repeats itself. */
function promptOf(seed: number, length: number, period = length): number[] {
  return Array.from(
    { length },
    (_, index) =>
      firstPrintable + (((index % period) * 31 + seed * 17 + (index % period) ** 2) % printableCount),
  );
}

async function withModel(options: LoadModelOptions, work: (model: Model) => Promise<void>): Promise<void> {
  const model = await loadModel(tiny, { ...exact, ...options });
  try {
    await work(model);
  } finally {
    await model.close();
  }
}

const kinds: [name: string, speculative: () => NonNullable<LoadModelOptions['speculative']>][] = [
  ['a draft model', () => ({ draftModel: tiny, minDraftProbability: 0 })],
  ['earlier text', () => ({ ngramSize: 2, draftTokens: 6 })],
];

describe.each(kinds)('guesses of %s', (_, speculative) => {
  it('leave greedy text as it is, alone and together', async () => {
    const prompts = [promptOf(1, 40), promptOf(2, 60, 7), promptOf(3, 5), promptOf(4, 200, 50)];
    const expected = await Promise.all(
      prompts.map(async (prompt) => (await plain.generate(prompt, { ...greedy, maxTokens: 60 }).result).text),
    );
    await withModel({ speculative: speculative() }, async (model) => {
      for (const [index, prompt] of prompts.entries()) {
        const { text, usage } = await model.generate(prompt, { ...greedy, maxTokens: 60 }).result;
        expect(text).toBe(expected[index]);
        expect(usage.completionTokens).toBe(60);
      }
      const together = prompts.map(
        (prompt) => model.generate([...prompt], { ...greedy, maxTokens: 60 }).result,
      );
      expect((await Promise.all(together)).map(({ text }) => text)).toEqual(expected);
    });
  });

  it('respect stop strings, cancellation and the end of the context', async () => {
    const prompt = promptOf(5, 30, 6);
    const whole = await plain.generate(prompt, { ...greedy, maxTokens: 80 }).result;
    const stop = whole.text.slice(37, 40);
    await withModel({ speculative: speculative(), contextSize: 256 }, async (model) => {
      const stopped = await model.generate(prompt, { ...greedy, maxTokens: 80, stop }).result;
      expect(stopped.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
      expect(stopped.stopString).toBe(stop);

      for await (const _ of model.generate(prompt, greedy)) break;
      const full = await model.generate(prompt, greedy).result;
      expect(full.finishReason).toBe('length');
      expect(full.usage.promptTokens + full.usage.completionTokens).toBe(257); // the last one is not evaluated
      expect(full.text.startsWith(whole.text)).toBe(true);

      const shifted = await model.generate(prompt, { ...greedy, contextFull: 'shift', maxTokens: 500 })
        .result;
      expect(shifted.usage.completionTokens).toBe(500);
      expect(shifted.text.startsWith(full.text)).toBe(true);
    });
  });

  it('leave a prefix that later generations continue from', async () => {
    const prompt = promptOf(6, 50, 9);
    const expected = await plain.generate(prompt, { ...greedy, maxTokens: 40 }).result;
    await withModel({ speculative: speculative() }, async (model) => {
      const first = await model.generate(prompt, { ...greedy, maxTokens: 20 }).result;
      const tokens = [...prompt, ...first.tokens];
      const second = await model.generate(tokens, { ...greedy, maxTokens: 20 }).result;
      expect(first.text + second.text).toBe(expected.text);
      expect(second.usage.cachedTokens).toBe(tokens.length - 1);
    });
  });

  it('can be turned off for one generation', async () => {
    await withModel({ speculative: speculative() }, async (model) => {
      const options = { ...greedy, maxTokens: 30, speculative: false };
      const { timings } = await model.generate(promptOf(7, 60, 6), options).result;
      expect(timings).toMatchObject({ draftTokens: 0, acceptedDraftTokens: 0 });
    });
  });
});

describe('a draft model', () => {
  it('that is always right is believed', async () => {
    await withModel({ speculative: { draftModel: tiny, minDraftProbability: 0 } }, async (model) => {
      const { timings } = await model.generate(promptOf(8, 30), { ...greedy, maxTokens: 91 }).result;
      // 8 guesses and one more token a step; its cache has half the precision, so it may err where two tokens tie.
      expect(timings.acceptedDraftTokens).toBeGreaterThan(70);
      expect(timings.draftTokens - timings.acceptedDraftTokens).toBeLessThan(10);
      const { draftTokens, acceptedDraftTokens } = timings;
      expect(await model.metrics()).toMatchObject({ draftTokens, acceptedDraftTokens });
    });
  });

  it('follows when sequences share prefixes, are evicted and are paused', async () => {
    const speculative = { draftModel: tiny, minDraftProbability: 0 };
    await withModel({ speculative, contextSize: 256, sequences: 4 }, async (model) => {
      const shared = promptOf(9, 90);
      // A token of the first and one of the last lead by 0.001 and 0.003 only. With a cache in F16, whose attention adds
      // up otherwise in steps of 64 tokens and more, logits differ by 0.01; in F32 by 0.000002.
      const prompts = [1, 2, 3, 4, 5, 6].map((seed) => [...shared, ...promptOf(10 + seed, 20)]);
      const options = { ...greedy, maxTokens: 60 };
      const results = await Promise.all(prompts.map((prompt) => model.generate(prompt, options).result));
      const { pauses, evictions } = await model.metrics();
      expect(pauses + evictions).toBeGreaterThan(0);
      for (const [index, { text }] of results.entries()) {
        expect(text).toBe((await plain.generate(prompts[index] ?? [], options).result).text);
      }
    });
  });

  it('with another vocabulary is refused', async () => {
    const loading = loadModel(await testModelPath(), { threads: 1, speculative: { draftModel: tiny } });
    await expect(loading).rejects.toMatchObject({ code: 'DRAFT_MODEL_MISMATCH', name: 'ModelLoadError' });
  });

  it('that does not exist is named', async () => {
    const draftModel = join(directory, 'none.gguf');
    await expect(loadModel(tiny, { speculative: { draftModel } })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining('none.gguf'),
    });
  });
});

it('text that repeats itself is guessed from what was said, on a real model', async () => {
  const path = await testModelPath();
  const reference = await GreedyReference.create(path, 512, { keyType: 'f16', valueType: 'f16' });
  const model = await loadModel(path, { threads: 1, speculative: {} });
  const prompt = await model.tokenize(
    'List the numbers from one to fifty in words, one in each line:\none\ntwo\n',
  );
  const { tokens, timings } = await model.generate(prompt, { ...greedy, maxTokens: 80 }).result;
  const expected = await reference.continue(prompt, 80, false);
  compareWithReference({ tokens }, expected, { margin: 0.3, logprob: 0 });
  expect(timings.acceptedDraftTokens).toBeGreaterThan(10);
  expect(timings.acceptedDraftTokens).toBeLessThanOrEqual(timings.draftTokens);
  await Promise.all([model.close(), reference.close()]);
});

it.each([
  [{ draftTokens: 0 }, 'draftTokens'],
  [{ draftTokens: 65 }, 'draftTokens'],
  [{ minDraftProbability: 2 }, 'minDraftProbability'],
  [{ ngramSize: 1.5 }, 'ngramSize'],
  [{ draftModel: '' }, 'draftModel'],
  [{ model: 'x' }, 'model'],
])('refuses %o', async (speculative, name) => {
  const loading = loadModel(tiny, { speculative: speculative as object });
  await expect(loading).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(name),
  });
});

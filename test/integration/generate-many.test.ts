import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

const story = 'A long time ago, in a small village between two mountains, there lived an old clockmaker who';

let path: string;
let model: Model;
let promptTokens: number;

beforeAll(async () => {
  path = await testModelPath();
  model = await loadModel(path, { contextSize: 2048, sequences: 4, threads: 1 });
  promptTokens = (await model.tokenize(story)).length;
});
afterAll(async () => {
  await model.close();
});

const options = { temperature: 1, maxTokens: 12 } as const;

/** On a model of its own: batches of other sizes round differently. */
async function textsOf(seed: number, n: number): Promise<string[]> {
  await using own = await loadModel(path, { contextSize: 1024, sequences: 4, threads: 1 });
  const answers = own.generateMany(story, { ...options, n, seed });
  return (await Promise.all(answers.map(({ result }) => result))).map(({ text }) => text);
}

describe('several answers to one prompt', () => {
  it('begin with the answer of generate', async () => {
    const { text } = await model.generate(story, { ...options, seed: 9 }).result;
    expect(await textsOf(9, 1)).toEqual([text]);
  });

  it('differ, and come again with the same seed', async () => {
    const first = await textsOf(5, 4);
    expect(new Set(first).size).toBe(4);
    expect(await textsOf(5, 4)).toEqual(first);
    expect(await textsOf(6, 4)).not.toEqual(first);
  });

  it('read the prompt once, those that wait for a sequence too', async () => {
    const own = await loadModel(path, { contextSize: 2048, sequences: 2, threads: 1 });
    const before = await own.metrics();
    const answers = own.generateMany(story, { n: 5, seed: 1, maxTokens: 4, ignoreEndOfSequence: true });
    const results = await Promise.all(answers.map(({ result }) => result));
    const after = await own.metrics();
    await own.close();
    expect(before.promptTokens).toBe(0);
    expect(results.map(({ usage }) => usage.cachedTokens)).toEqual([0, ...Array(4).fill(promptTokens - 1)]);
    expect(results.every(({ tokens }) => tokens.length === 4)).toBe(true);
    expect(after.promptTokens - after.cachedTokens).toBe(promptTokens + 4);
    // Rows of all batches: the prompt once, its last token again for four, and all answers' tokens but the last.
    expect(after.steps * after.batchFill * 512).toBeCloseTo(promptTokens + 4 + 5 * 3, 5);
  });

  it('can be cancelled one by one, and all together', async () => {
    const [first, second] = model.generateMany(story, { n: 2, temperature: 1, seed: 3, maxTokens: 200 });
    for await (const _ of first ?? []) break;
    expect((await second?.result)?.tokens.length).toBeGreaterThan(1);
    const signal = AbortSignal.timeout(30);
    const answers = model.generateMany(story, { n: 3, maxTokens: 1500, ignoreEndOfSequence: true, signal });
    for (const { result } of answers) await expect(result).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('are refused without a sensible n', () => {
    for (const n of [0, 1.5, 257, undefined, '3']) {
      expect(() => model.generateMany('x', { n: n as number })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
    expect(() => model.generate('x', { n: 2 } as never)).toThrow(/Unknown option n/);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadModelOptions, loadModel, type Model } from '../../lib/index.js';
import { expectSameAnswer } from '../helpers/greedy-equality.js';
import { writeGemmaModel, writeLfm2Model, writeMambaModel, writeRwkvModel } from '../helpers/state-models.js';

const greedy = { temperature: 0, ignoreEndOfSequence: true, maxTokens: 12 } as const;
/** Exact arithmetic, so that a prompt read in other parts gives the same tokens. */
const exact = { threads: 1, keyType: 'f32', valueType: 'f32', batchSize: 128 } as const;

/** Tokens that begin no other list. */
function someTokens(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => 1000 + ((index * 7919 + seed * 104_729) % 28_000));
}

const kinds: readonly {
  name: string;
  write: () => Promise<string>;
  options: LoadModelOptions;
  hasCells: boolean;
}[] = [
  { name: 'a recurrent model (mamba)', write: writeMambaModel, options: {}, hasCells: false },
  { name: 'a recurrent model (rwkv7)', write: writeRwkvModel, options: {}, hasCells: false },
  { name: 'a hybrid model (lfm2)', write: writeLfm2Model, options: {}, hasCells: true },
  {
    name: 'a sliding-window model that keeps only the window',
    write: writeGemmaModel,
    options: { slidingWindow: 'window' },
    hasCells: true,
  },
];

describe.each(kinds)('$name', ({ write, options, hasCells }) => {
  let path: string;
  let alone: Model;

  beforeAll(async () => {
    path = await write();
    const none = { memoryBytes: 0 };
    alone = await loadModel(path, { ...exact, ...options, contextSize: 2048, prefixCache: none });
  });
  afterAll(async () => {
    await alone.close();
  });

  const load = (more: LoadModelOptions = {}) =>
    loadModel(path, { ...exact, ...options, contextSize: 2048, ...more });

  /** What the model makes of a prompt when nothing is cached: another prompt lies between. */
  async function expected(prompt: readonly number[], settings: object = greedy): Promise<readonly number[]> {
    await alone.generate([1], { ...greedy, maxTokens: 1 }).result;
    const { tokens, usage } = await alone.generate(prompt, settings).result;
    expect(usage.cachedTokens).toBe(0);
    return tokens;
  }

  it('goes on from the end of an earlier prompt, whatever its answer was', async () => {
    const model = await load();
    const prompt = someTokens(300, 1);
    await model.generate(prompt, greedy).result;
    const longer = [...prompt, ...someTokens(40, 2)];
    const { tokens, usage } = await model.generate(longer, greedy).result;
    expect(usage.cachedTokens).toBe(prompt.length - 8);
    await expectSameAnswer(alone, longer, tokens, await expected(longer));

    const again = await model.generate(prompt, greedy).result;
    expect(again.usage.cachedTokens).toBe(prompt.length - 8);
    await expectSameAnswer(alone, prompt, again.tokens, await expected(prompt));
    await model.close();
  });

  it('reads a beginning that three prompts share twice, and the third time not', async () => {
    const model = await load();
    const beginning = someTokens(200, 3);
    const cached: number[] = [];
    for (const seed of [10, 11, 12]) {
      const prompt = [...beginning, ...someTokens(100, seed)];
      const { tokens, usage } = await model.generate(prompt, greedy).result;
      cached.push(usage.cachedTokens);
      await expectSameAnswer(alone, prompt, tokens, await expected(prompt));
    }
    expect(cached).toEqual([0, 0, beginning.length]);
    await model.close();
  });

  it('goes on in place where a prompt continues exactly what a sequence holds', async () => {
    const model = await load();
    const prompt = someTokens(150, 4);
    const { tokens: answer } = await model.generate(prompt, greedy).result;
    const next = [...prompt, ...answer, ...someTokens(20, 5)];
    const { tokens, usage } = await model.generate(next, greedy).result;
    expect(usage.cachedTokens).toBe(prompt.length + answer.length - 1);
    await expectSameAnswer(alone, next, tokens, await expected(next));
    expect((await model.metrics()).prefixCache.restored).toBe(0);
    await model.close();
  });

  it('takes up a conversation that another one took the place of', async () => {
    const model = await load();
    const first = someTokens(150, 6);
    const { tokens: answer } = await model.generate(first, greedy).result;
    for (const seed of [20, 21]) await model.generate(someTokens(120, seed), greedy).result;
    const next = [...first, ...answer, ...someTokens(20, 7)];
    const { tokens, usage } = await model.generate(next, greedy).result;
    expect(usage.cachedTokens).toBe(first.length + answer.length - 1);
    await expectSameAnswer(alone, next, tokens, await expected(next));
    await model.close();
  });

  it('has checkpoints along a long prompt', async () => {
    const model = await load({ contextSize: 4096 });
    const long = someTokens(2600, 8);
    await model.generate(long, { ...greedy, maxTokens: 1 }).result;
    const other = [...long.slice(0, 1500), ...someTokens(50, 9)];
    const { tokens, usage } = await model.generate(other, greedy).result;
    expect(usage.cachedTokens).toBe(1024);
    await expectSameAnswer(alone, other, tokens, await expected(other));
    await model.close();
  });

  it('makes the same texts when several run at once', async () => {
    const model = await load({ sequences: 4 });
    const beginning = someTokens(150, 30);
    const prompts = Array.from({ length: 8 }, (_, n) => [...beginning, ...someTokens(40 + 13 * n, 31 + n)]);
    const run = () => Promise.all(prompts.map((prompt) => model.generate(prompt, greedy).result));
    const first = await run();
    const second = await run();
    for (const [index, prompt] of prompts.entries()) {
      const tokens = await expected(prompt);
      await expectSameAnswer(alone, prompt, first[index]?.tokens ?? [], tokens);
      await expectSameAnswer(alone, prompt, second[index]?.tokens ?? [], tokens);
      expect(second[index]?.usage.cachedTokens).toBeGreaterThanOrEqual(beginning.length);
    }
    await model.close();
  });

  it('keeps its texts when the context is too small for all, and sequences are given up or paused', async () => {
    const model = await load({ sequences: 4, contextSize: 512 });
    const beginning = someTokens(60, 40);
    const prompts = Array.from({ length: 12 }, (_, n) => [...beginning, ...someTokens(100, 41 + (n % 6))]);
    const results = await Promise.all(
      prompts.map((prompt) => model.generate(prompt, { ...greedy, maxTokens: 40 }).result),
    );
    for (const [index, prompt] of prompts.entries()) {
      const tokens = await expected(prompt, { ...greedy, maxTokens: 40 });
      await expectSameAnswer(alone, prompt, results[index]?.tokens ?? [], tokens);
    }
    const { evictions, pauses } = await model.metrics();
    expect(evictions + pauses > 0).toBe(hasCells);
    await model.close();
  });

  it('reads everything again when there is no room for checkpoints', async () => {
    const prompt = someTokens(100, 50);
    await alone.generate(prompt, greedy).result;
    const { usage } = await alone.generate([...prompt, 5], greedy).result;
    expect(usage.cachedTokens).toBe(0);
    expect((await alone.metrics()).prefixCache).toMatchObject({ saved: 0, memoryEntries: 0 });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type Model, type ModelMetrics } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

let path: string;
let model: Model;

beforeAll(async () => {
  path = await testModelPath();
  model = await loadModel(path, { contextSize: 2048, sequences: 4, threads: 1 });
});
afterAll(async () => {
  await model.close();
});

const greedy = { temperature: 0, ignoreEndOfSequence: true } as const;

/** Tokens that no other test uses, so that nothing of them is cached. */
function freshTokens(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => 1000 + ((index * 7919 + seed * 104_729) % 40_000));
}

describe('shared prefixes', () => {
  it('are read once when several prompts begin alike, all at once and cold', async () => {
    const prefix = freshTokens(200, 1);
    const prompts = [1, 2, 3, 4].map((n) => [...prefix, ...freshTokens(10, 10 + n)]);
    const results = await Promise.all(
      prompts.map((tokens) => model.generate(tokens, { ...greedy, maxTokens: 4 }).result),
    );
    expect(results.map((result) => result.usage.cachedTokens)).toEqual([0, 200, 200, 200]);
  });

  it('give the same tokens as reading all of it', async () => {
    const prefix = await model.tokenize('The quick brown fox jumps over the lazy dog. '.repeat(6));
    const prompts = await Promise.all(
      ['Then it', 'After that', 'Suddenly'].map(async (text) => [...prefix, ...(await model.tokenize(text))]),
    );
    const single = await loadModel(path, { contextSize: 512, threads: 1 });
    const shared = await Promise.all(
      prompts.map((tokens) => model.generate(tokens, { ...greedy, maxTokens: 6 }).result),
    );
    for (const [index, tokens] of prompts.entries()) {
      const alone = await single.generate(tokens, { ...greedy, maxTokens: 6 }).result;
      expect(shared[index]?.tokens.slice(0, 3)).toEqual(alone.tokens.slice(0, 3));
    }
    await single.close();
  });

  it('are taken over when the generation that read them is cancelled', async () => {
    const prefix = freshTokens(900, 2);
    const first = model.generate([...prefix, 5], { ...greedy, maxTokens: 200 });
    const second = model.generate([...prefix, 6], { ...greedy, maxTokens: 3 });
    setTimeout(() => first[Symbol.asyncIterator]().return?.(undefined), 40);
    for await (const _ of first) break;
    expect((await second.result).usage.completionTokens).toBe(3);
  });

  it('of earlier conversations stay, though others were held since', async () => {
    const single = await loadModel(path, { contextSize: 2048, threads: 1 });
    const conversation = freshTokens(100, 3);
    await single.generate(conversation, { ...greedy, maxTokens: 2 }).result;
    for (const seed of [4, 5, 6])
      await single.generate(freshTokens(100, seed), { ...greedy, maxTokens: 2 }).result;
    const again = await single.generate([...conversation, 7], { ...greedy, maxTokens: 2 }).result;
    expect(again.usage.cachedTokens).toBe(100);
    await single.close();
  });
});

describe('the queue', () => {
  it('starts those with higher priority first', async () => {
    const single = await loadModel(path, { contextSize: 512, threads: 1 });
    const order: string[] = [];
    const start = (name: string, priority: number) =>
      single
        .generate(freshTokens(20, priority + 50), { ...greedy, maxTokens: 8, priority })
        .result.then(() => order.push(name));
    await Promise.all([start('first', 0), start('low', -1), start('plain', 0), start('high', 5)]);
    expect(order).toEqual(['first', 'high', 'plain', 'low']);
    await single.close();
  });

  it('refuses more than its limit, and those inside go on', async () => {
    const single = await loadModel(path, { contextSize: 512, threads: 1, queueLimit: 1 });
    const [running, waiting, refused] = [1, 2, 3].map((seed) =>
      single.generate(freshTokens(20, seed), { ...greedy, maxTokens: 5 }),
    );
    await expect(refused?.result).rejects.toMatchObject({ code: 'QUEUE_FULL', details: { waiting: 1 } });
    expect((await running?.result)?.usage.completionTokens).toBe(5);
    expect((await waiting?.result)?.usage.completionTokens).toBe(5);
    await single.close();
  });

  it('lets a short prompt pass a long one that came before', async () => {
    const long = model.generate(freshTokens(1500, 70), { ...greedy, maxTokens: 1 });
    const short = model.generate(freshTokens(10, 71), { ...greedy, maxTokens: 1 });
    const [slow, quick] = await Promise.all([long.result, short.result]);
    expect(quick.timings.timeToFirstTokenMs).toBeLessThan(slow.timings.timeToFirstTokenMs / 1.5);
  });
});

describe('a full context', () => {
  it('with policy error fails and tells how far it came', async () => {
    const small = await loadModel(path, { contextSize: 256, threads: 1 });
    const generation = small.generate('Hi', { ...greedy, contextFull: 'error' });
    await expect(generation.result).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
    await small.close();
  });

  it('with policy shift forgets older tokens and goes on', async () => {
    const small = await loadModel(path, { contextSize: 256, threads: 1 });
    const result = await small.generate('Once upon a time', {
      ...greedy,
      contextFull: 'shift',
      maxTokens: 500,
    }).result;
    expect(result.usage.completionTokens).toBe(500);
    expect(result.usage.contextShifts).toBeGreaterThanOrEqual(2);
    expect(result.finishReason).toBe('length');
    await small.close();
  });

  it('shifts a sequence that shares its prefix without harm to the one it shares with', async () => {
    const small = await loadModel(path, { contextSize: 256, sequences: 2, threads: 1 });
    const prefix = freshTokens(60, 80);
    const [shifting, other] = await Promise.all([
      small.generate([...prefix, 5], { ...greedy, contextFull: 'shift', keepTokens: 20, maxTokens: 300 })
        .result,
      small.generate([...prefix, 6], { ...greedy, maxTokens: 20 }).result,
    ]);
    expect(shifting.usage.completionTokens).toBe(300);
    expect(shifting.usage.contextShifts).toBeGreaterThan(0);
    expect(other.usage.completionTokens).toBe(20);
    await small.close();
  });
});

describe('cache types', () => {
  it.each(['q8_0', 'q4_0', 'f32'] as const)('%s holds the context too', async (type) => {
    const small = await loadModel(path, { contextSize: 256, threads: 1, keyType: type, valueType: type });
    const { text } = await small.generate('The capital of France is', { ...greedy, maxTokens: 4 }).result;
    expect(text).toContain('Paris');
    await small.close();
  });
});

describe('metrics', () => {
  it('count what was done and show what waits', async () => {
    const single = await loadModel(path, { contextSize: 512, threads: 1 });
    await single.generate(freshTokens(50, 90), { ...greedy, maxTokens: 10 }).result;
    await single.generate([...freshTokens(50, 90), 5], { ...greedy, maxTokens: 10 }).result;
    const before = await single.metrics();
    expect(before).toMatchObject({
      waiting: 0,
      running: 0,
      contextSize: 512,
      promptTokens: 101,
      cachedTokens: 50,
      completionTokens: 20,
    });
    expect(before.steps).toBeGreaterThanOrEqual(20);
    expect(before.tokensPerSecond).toBeGreaterThan(0);
    expect(before.stepTimes.reduce((sum, entry) => sum + entry.count, 0)).toBe(before.steps);
    expect(before.residentTokens).toBeGreaterThan(50);

    const running = [1, 2].map((seed) =>
      single.generate(freshTokens(20, seed), { ...greedy, maxTokens: 50 }),
    );
    await running[0]?.[Symbol.asyncIterator]().next();
    expect(await single.metrics()).toMatchObject({ waiting: 1, running: 1 });
    await Promise.all(running.map((generation) => generation.result));
    await single.close();
  });

  it('are events while the model works and when it has become idle', async () => {
    const single = await loadModel(path, { contextSize: 512, threads: 1, metricsIntervalMs: 10 });
    const events: ModelMetrics[] = [];
    single.on('metrics', (metrics) => events.push(metrics));
    await single.generate(freshTokens(20, 91), { ...greedy, maxTokens: 40 }).result;
    while (events.at(-1)?.running !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(events.length).toBeGreaterThan(2);
    expect(events[0]).toMatchObject({ running: 1, completionTokens: 0 });
    expect(events.at(-1)).toMatchObject({ running: 0, completionTokens: 40 });

    single.removeAllListeners('metrics');
    const seen = events.length;
    await single.generate(freshTokens(20, 92), { ...greedy, maxTokens: 10 }).result;
    await single.close();
    expect(events).toHaveLength(seen);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LlamaNativeError, loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

let model: Model;

beforeAll(async () => {
  // A small context, so that eviction, pausing and sharing all happen.
  model = await loadModel(await testModelPath(), {
    contextSize: 512,
    sequences: 4,
    threads: 1,
    prefixCache: { memoryBytes: 16 * 2 ** 20 },
  });
});
afterAll(async () => {
  await model.close();
});

/** A linear congruential generator: the same schedule for the same seed. Constants of Numerical Recipes. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const prefixes = [0, 1, 2].map((family) => Array.from({ length: 90 }, (_, n) => 500 + family * 1000 + n * 7));

type Outcome = 'finished' | 'left' | 'aborted' | 'PROMPT_TOO_LONG';

/** One generation with a random prompt and a random fate; returns how it ended. */
async function runOne(random: (limit: number) => number): Promise<Outcome> {
  const prefix = (prefixes[random(prefixes.length)] ?? []).slice(0, 1 + random(90));
  const tail = Array.from({ length: 1 + random(random(8) === 0 ? 600 : 60) }, () => 100 + random(30_000));
  const maxTokens = 1 + random(16);
  const fate = random(4);
  const controller = new AbortController();
  if (fate === 0) setTimeout(() => controller.abort(), random(120));
  const generation = model.generate([...prefix, ...tail], {
    temperature: random(2),
    seed: random(1000),
    maxTokens,
    ignoreEndOfSequence: true,
    contextFull: random(3) === 0 ? 'shift' : 'stop',
    priority: random(3),
    ...(fate === 0 && { signal: controller.signal }),
  });
  try {
    if (fate === 1) {
      for await (const _ of generation) break;
    }
    const result = await generation.result;
    expect(result.usage.promptTokens).toBe(prefix.length + tail.length);
    expect(result.usage.cachedTokens).toBeLessThan(result.usage.promptTokens);
    expect(result.tokens).toHaveLength(result.usage.completionTokens);
    if (result.finishReason === 'cancelled') return 'left';
    expect(result.usage.completionTokens).toBe(maxTokens);
    return 'finished';
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && error.code === 'ABORTED') return 'aborted';
    if (LlamaNativeError.isInstance(error) && error.code === 'PROMPT_TOO_LONG') return 'PROMPT_TOO_LONG';
    throw error;
  }
}

describe('hundreds of generations in random schedules', () => {
  it('all end as they should and leave no sequence, cell or memory behind', async () => {
    const random = createRandom(20_261_123);
    const counts = new Map<Outcome, number>();
    const run = async (requests: number) => {
      const lanes = Array.from({ length: 7 }, async () => {
        for (let i = 0; i < requests / 7; i++) {
          const outcome = await runOne(random);
          counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
        }
      });
      await Promise.all(lanes);
    };
    await run(35);
    const before = process.memoryUsage().rss;
    await run(210);
    const metrics = await model.metrics();
    console.log(
      'random schedules:',
      Object.fromEntries(counts),
      'evictions',
      metrics.evictions,
      'pauses',
      metrics.pauses,
      'states saved and restored',
      metrics.prefixCache.saved,
      metrics.prefixCache.restored,
    );

    expect(metrics).toMatchObject({ waiting: 0, running: 0 });
    expect(metrics.residentTokens).toBeLessThanOrEqual(metrics.contextSize);
    expect(metrics.evictions).toBeGreaterThan(10);
    expect(metrics.prefixCache.saved).toBeGreaterThan(10);
    expect(metrics.prefixCache).toMatchObject({ refused: 0, failures: 0 });
    expect(metrics.cachedTokens).toBeGreaterThan(1000);
    for (const outcome of ['finished', 'left', 'aborted'] as const)
      expect(counts.get(outcome)).toBeGreaterThan(20);
    expect((process.memoryUsage().rss - before) / 1e6).toBeLessThan(60);

    // The whole context is there for the next one.
    const whole = new Int32Array(metrics.contextSize - 4).fill(7);
    expect(
      (await model.generate(whole, { maxTokens: 3, ignoreEndOfSequence: true }).result).tokens,
    ).toHaveLength(3);
  }, 240_000);
});

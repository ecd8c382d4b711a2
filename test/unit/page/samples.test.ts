import { describe, expect, it } from 'vitest';
import type { PageMetrics } from '../../../page/api/types.js';
import { addSample, mostSamples, toSample } from '../../../page/dashboard/samples.js';

function metrics(timeMs: number, tokens: readonly (number | null)[]): PageMetrics {
  return {
    timeMs,
    upSeconds: 1,
    inFlight: 2,
    memoryBytes: 100,
    machine: { totalBytes: 1000, freeBytes: 500 },
    models: tokens.map((evaluatedTokens, index) => ({
      name: `m${index}`,
      state: 'ready',
      inFlight: 1,
      progress: null,
      error: null,
      figures:
        evaluatedTokens === null
          ? null
          : {
              waiting: 1,
              running: 2,
              contextSize: 100,
              residentTokens: 25,
              promptTokens: 0,
              cachedTokens: 0,
              completionTokens: 0,
              evaluatedTokens,
              batchFill: 0,
              memoryBytes: index === 0 ? 50 : null,
              prefixCacheBytes: 5,
              restarts: 0,
            },
    })),
  };
}

describe('a sample of the dashboard', () => {
  it('adds up the models that are ready', () => {
    expect(toSample(undefined, metrics(1000, [0, 0, null]))).toMatchObject({
      time: 1,
      running: 4,
      waiting: 2,
      inFlight: 2,
      occupancy: 25,
      serverBytes: 100,
      enginesBytes: 50,
      prefixBytes: 10,
    });
  });

  it('measures the speed since the sample before', () => {
    expect(toSample(undefined, metrics(0, [500])).tokensPerSecond).toBeNull();
    expect(toSample(metrics(0, [500, 10]), metrics(2000, [700, 30])).tokensPerSecond).toBe(110);
  });

  it('counts a model that was loaded anew from nothing, not below it', () => {
    expect(toSample(metrics(0, [500]), metrics(1000, [40])).tokensPerSecond).toBe(40);
    expect(toSample(metrics(0, [500]), metrics(1000, [null])).tokensPerSecond).toBe(0);
  });

  it('leaves a gap where there is nothing to divide by', () => {
    const sample = toSample(undefined, metrics(0, []));
    expect(sample.occupancy).toBeNull();
    expect(sample.cacheHits).toBeNull();
  });

  it('is forgotten when there are too many', () => {
    let kept = [toSample(undefined, metrics(0, []))];
    for (let index = 1; index <= mostSamples; index += 1)
      kept = addSample(kept, toSample(undefined, metrics(index * 1000, [])));
    expect(kept).toHaveLength(mostSamples);
    expect(kept.at(0)?.time).toBe(1);
  });
});

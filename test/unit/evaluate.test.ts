import { describe, expect, test } from 'vitest';
import { evaluatorSizes } from '../../lib/evaluate/evaluator-sizes.js';
import { addEntries, chunkCount } from '../../lib/evaluate/imatrix-file.js';
import {
  ComparisonSamples,
  percentile,
  Samples,
  toPerplexity,
  toShare,
} from '../../lib/evaluate/statistics.js';

describe('estimates', () => {
  test('give the mean and its standard error', () => {
    const samples = new Samples();
    samples.add([1, 2, 3, 4]);
    // Variance 1.25, over three degrees of freedom.
    expect(samples.mean()).toEqual({ value: 2.5, standardError: Math.sqrt(1.25 / 3) });
    expect(toPerplexity(samples).value).toBeCloseTo(Math.exp(2.5));
    expect(toShare(3, 4)).toEqual({ value: 0.75, standardError: Math.sqrt(0.1875 / 3) });
  });

  test('find percentiles between neighbours', () => {
    expect(percentile([0, 10, 20], 0.25)).toBe(5);
    expect(percentile([7], 0.99)).toBe(7);
  });

  test('compare a model with its reference', () => {
    const comparison = new ComparisonSamples();
    comparison.add(Float64Array.of(1, 2), {
      negativeLogLikelihoods: Float64Array.of(0.5, 1.5),
      divergences: Float64Array.of(0.1, 0.3),
      agreements: Uint8Array.of(1, 0),
    });
    const summary = comparison.summarize();
    expect(summary.logPerplexityRatio.value).toBeCloseTo(0.5);
    expect(summary.perplexity.value).toBeCloseTo(Math.E);
    expect(summary.klDivergence.value).toBeCloseTo(0.2);
    expect(summary.klDivergenceSpread.maximum).toBe(0.3);
    expect(summary.topAgreement.value).toBe(0.5);
  });
});

describe('the sizes of an evaluator', () => {
  test('are those of llama-perplexity for a small vocabulary', () => {
    const sizes = evaluatorSizes({ window: 512, first: 256 }, 49_152);
    expect(sizes).toEqual({ sequences: 4, contextSize: 2048, batchSize: 2048, microBatchSize: 512 });
  });

  test('keep the logits of a batch small for a large one', () => {
    const sizes = evaluatorSizes({ window: 512, first: 0, collects: 'blocks' }, 262_144);
    expect(sizes.batchSize * 262_144 * 4).toBeLessThan(700e6);
    expect(sizes.sequences).toBe(1);
  });

  test('cut long windows into equal parts, so that no remainder is left', () => {
    const { batchSize, microBatchSize, contextSize } = evaluatorSizes({ window: 2600, first: 1300 }, 30_000);
    expect(batchSize).toBe(1300);
    expect(microBatchSize).toBe(434);
    expect(contextSize).toBe(2816);
  });
});

describe('importance matrices', () => {
  const entry = (sums: number[], counts: number[]) => ({
    sums: Float32Array.from(sums),
    counts: Float64Array.from(counts),
  });

  test('are added up by tensor', () => {
    const sum = addEntries(
      'a.gguf',
      new Map([['x', entry([1, 2], [10])]]),
      new Map([
        ['x', entry([3, 4], [20])],
        ['y', entry([5], [1])],
      ]),
    );
    expect(sum.get('x')).toEqual(entry([4, 6], [30]));
    expect(sum.get('y')).toEqual(entry([5], [1]));
    expect(chunkCount(sum, 8)).toBe(3);
  });

  test('of another model are refused', () => {
    const base = new Map([['x', entry([1, 2], [10])]]);
    const other = new Map([['x', entry([1, 2, 3], [10])]]);
    expect(() => addEntries('a.gguf', base, other)).toThrow('made for another model');
  });
});

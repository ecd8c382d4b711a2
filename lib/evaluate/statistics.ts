import type { DivergenceSpread, Estimate, ReferenceComparison } from './types.js';

/** Values of tokens, as they come in. */
export class Samples {
  readonly #values: number[] = [];
  #sum = 0;
  #squares = 0;

  add(values: Iterable<number>): void {
    for (const value of values) {
      this.#values.push(value);
      this.#sum += value;
      this.#squares += value * value;
    }
  }

  get count(): number {
    return this.#values.length;
  }

  get values(): readonly number[] {
    return this.#values;
  }

  /** The mean, and the standard error of a mean of independent values: √(variance / (n − 1)). */
  mean(): Estimate {
    const { count } = this;
    const value = this.#sum / count;
    const variance = this.#squares / count - value * value;
    return { value, standardError: count > 1 && variance > 0 ? Math.sqrt(variance / (count - 1)) : 0 };
  }
}

/** The perplexity for negative log-likelihoods: e to their mean. */
export function toPerplexity(samples: Samples): Estimate {
  const { value, standardError } = samples.mean();
  const perplexity = Math.exp(value);
  return { value: perplexity, standardError: perplexity * standardError };
}

/** A share of `count` cases, with the standard error of a binomial distribution. */
export function toShare(part: number, count: number): Estimate {
  const value = part / count;
  return { value, standardError: count > 1 ? Math.sqrt((value * (1 - value)) / (count - 1)) : 0 };
}

/** The value below which a fraction of ascending values lies, between neighbours on a straight line. */
export function percentile(ascending: readonly number[], fraction: number): number {
  const place = fraction * (ascending.length - 1);
  const index = Math.floor(place);
  const lower = ascending[index] ?? Number.NaN;
  const upper = ascending[index + 1] ?? lower;
  return lower + (place - index) * (upper - lower);
}

function spreadOf(values: readonly number[]): DivergenceSpread {
  const ascending = [...values].sort((a, b) => a - b);
  return {
    median: percentile(ascending, 0.5),
    percentile90: percentile(ascending, 0.9),
    percentile99: percentile(ascending, 0.99),
    maximum: ascending.at(-1) ?? Number.NaN,
  };
}

/** What is collected of each token where a model is compared with a reference. */
export class ComparisonSamples {
  readonly divergences = new Samples();
  readonly #reference = new Samples();
  /** ln p of the reference − ln p of the model: their mean is the logarithm of the perplexities' ratio. */
  readonly #differences = new Samples();
  readonly #squaredChanges = new Samples();
  #agreements = 0;

  add(
    own: Float64Array,
    reference: {
      readonly negativeLogLikelihoods: Float64Array;
      readonly divergences: Float64Array;
      readonly agreements: Uint8Array;
    },
  ): void {
    const theirs = reference.negativeLogLikelihoods;
    this.divergences.add(reference.divergences);
    this.#reference.add(theirs);
    this.#differences.add(own.map((value, index) => value - (theirs[index] ?? 0)));
    this.#squaredChanges.add(
      own.map((value, index) => (Math.exp(-value) - Math.exp(-(theirs[index] ?? 0))) ** 2),
    );
    this.#agreements += reference.agreements.reduce((sum, agreement) => sum + agreement, 0);
  }

  summarize(): ReferenceComparison {
    const change = this.#squaredChanges.mean();
    const root = Math.sqrt(change.value);
    return {
      perplexity: toPerplexity(this.#reference),
      logPerplexityRatio: this.#differences.mean(),
      klDivergence: this.divergences.mean(),
      klDivergenceSpread: spreadOf(this.divergences.values),
      topAgreement: toShare(this.#agreements, this.divergences.count),
      // The error of a root: half of that of its square, relatively.
      probabilityChange: { value: root, standardError: root > 0 ? change.standardError / (2 * root) : 0 },
    };
  }
}

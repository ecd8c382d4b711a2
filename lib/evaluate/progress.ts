import { type ComparisonSamples, Samples, toPerplexity } from './statistics.js';
import type { EvaluationOptions } from './types.js';

/** Collects what an evaluation finds and tells how far it is. */
export class EvaluationRun {
  readonly samples = new Samples();
  readonly #total: number;
  readonly #onProgress: EvaluationOptions['onProgress'];
  readonly #begun = performance.now();
  #completed = 0;
  #evaluatedTokens = 0;
  #evaluationMs = 0;

  constructor(total: number, { onProgress }: EvaluationOptions) {
    this.#total = total;
    this.#onProgress = onProgress;
  }

  get evaluatedTokens(): number {
    return this.#evaluatedTokens;
  }

  get tokensPerSecond(): number {
    return this.#evaluationMs > 0 ? (1000 * this.#evaluatedTokens) / this.#evaluationMs : 0;
  }

  get totalMs(): number {
    return performance.now() - this.#begun;
  }

  /** Counts tokens of chunks that were evaluated together. */
  evaluated(tokens: number, milliseconds: number): void {
    this.#evaluatedTokens += tokens;
    this.#evaluationMs += milliseconds;
  }

  /** Adds the scores of one chunk and tells of it. */
  completeChunk(negativeLogLikelihoods: Float64Array, comparison?: ComparisonSamples): void {
    this.samples.add(negativeLogLikelihoods);
    this.#completed++;
    this.#onProgress?.({
      completed: this.#completed,
      total: this.#total,
      perplexity: toPerplexity(this.samples),
      ...(comparison && { klDivergence: comparison.divergences.mean() }),
      tokensPerSecond: this.tokensPerSecond,
    });
  }
}

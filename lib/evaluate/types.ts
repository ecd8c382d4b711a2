import type { OutputOptions } from '../files/write-whole-file.js';
import type { Model } from '../model/model.js';

/** A figure that was estimated from a sample, and how far it may be off. */
export interface Estimate {
  readonly value: number;
  /** Standard deviation of the estimate: the true value lies within twice of it in about 95 of 100 cases. */
  readonly standardError: number;
}

/** How far an evaluation has come. */
export interface EvaluationProgress {
  /** Chunks that are done, and how many there are. */
  readonly completed: number;
  readonly total: number;
  /** The figures of the chunks so far. */
  readonly perplexity: Estimate;
  /** With a reference. */
  readonly klDivergence?: Estimate;
  /** Tokens evaluated per second. */
  readonly tokensPerSecond: number;
}

/** What `perplexity` and `imatrix` have in common. */
export interface EvaluationOptions {
  /**
   * Tokens of a chunk, from 16 to what the model was trained for. Figures of different chunk sizes cannot be compared.
   * Default 512.
   */
  contextSize?: number;
  /** Most chunks of the text to evaluate. Default: all. */
  chunks?: number;
  /** Called after each chunk. What it throws ends the call and is what the call rejects with. */
  onProgress?: (progress: EvaluationProgress) => void;
  /** Cancels: the call rejects with an `AbortError`. */
  signal?: AbortSignal;
}

/** Options of {@link perplexity}. */
export interface PerplexityOptions extends EvaluationOptions, OutputOptions {
  /**
   * Let chunks overlap: each begins so many tokens behind the one before, and only its last `stride` tokens count. Slower
   * by `contextSize / stride`, and nearer to what the model can do. Default: chunks that do not overlap, whose second
   * halves count.
   */
  stride?: number;
  /**
   * What to compare with: a loaded model with the same vocabulary, or a file of its log-probabilities, written with
   * `saveLogProbabilities` or by `llama-perplexity --save-all-logits`. Default: nothing.
   */
  reference?: Model | string;
  /**
   * Write the log-probabilities of this model, 16 bits each, to a file that can be a `reference` later, also of
   * `llama-perplexity --kl-divergence`. Takes about `contextSize` × vocabulary bytes for each chunk. Default: not.
   */
  saveLogProbabilities?: string;
}

/** How the Kullback-Leibler divergences of single tokens spread, in nats. */
export interface DivergenceSpread {
  readonly median: number;
  readonly percentile90: number;
  readonly percentile99: number;
  readonly maximum: number;
}

/** How far a model is from its reference. */
export interface ReferenceComparison {
  /** Of the reference. */
  readonly perplexity: Estimate;
  /** ln(perplexity / perplexity of the reference): much more exact than either. */
  readonly logPerplexityRatio: Estimate;
  /** Mean Kullback-Leibler divergence from the reference, in nats a token; 0 if both are the same. */
  readonly klDivergence: Estimate;
  readonly klDivergenceSpread: DivergenceSpread;
  /** Share of tokens where both find the same token the most probable one, 0 to 1. */
  readonly topAgreement: Estimate;
  /** Root of the mean square by which the probability of the right token changed, 0 to 1. */
  readonly probabilityChange: Estimate;
}

/** What {@link perplexity} found. */
export interface PerplexityResult {
  /** How many tokens the model hesitates between, on average: 1 is certainty, less is better. */
  readonly perplexity: Estimate;
  /** With a reference. */
  readonly comparison?: ReferenceComparison;
  readonly contextSize: number;
  readonly chunks: number;
  /** Tokens whose prediction counts. */
  readonly scoredTokens: number;
  readonly evaluatedTokens: number;
  /** Tokens evaluated per second, the scoring not counted. */
  readonly tokensPerSecond: number;
  readonly totalMs: number;
}

/** Options of {@link imatrix}. */
export interface ImatrixOptions extends EvaluationOptions, OutputOptions {
  /** The file to write, in GGUF. */
  output: string;
  /**
   * Importance matrices to add to, in GGUF. Where one was broken off on the same text with the same `contextSize`, the
   * call goes on behind its last chunk; otherwise all of the text is added. May be `output` itself. Default: none.
   */
  from?: string | readonly string[];
  /**
   * Write what there is after every so many chunks, so that `from` can go on from there when the call was cancelled or the
   * process ended; 0: write only the whole matrix. Default 10.
   */
  saveEvery?: number;
  /** Include the output matrix, which quantization seldom uses. Default false. */
  includeOutput?: boolean;
  /** What the text is called in the file. Default `text`. */
  dataset?: string;
}

/** What {@link imatrix} made. */
export interface ImatrixResult {
  /** Absolute path of the file. */
  readonly path: string;
  /** Chunks that this call evaluated, and how many the file is made of, those of `from` included. */
  readonly evaluatedChunks: number;
  readonly chunks: number;
  readonly tensors: number;
  /** Tensors with experts that no token was sent to: quantization has to do without figures for them. */
  readonly unusedExperts: readonly {
    readonly tensor: string;
    readonly unused: number;
    readonly experts: number;
  }[];
  /** Of the chunks of this call; NaN if there were none. */
  readonly perplexity: Estimate;
  readonly tokensPerSecond: number;
  readonly totalMs: number;
}

/**
 * How the vectors of a text's tokens become one: their `mean`, that of the first token (`cls`) or of the `last` one.
 * `none` keeps them all.
 */
export type Pooling = 'mean' | 'cls' | 'last' | 'none';

/** How far a call of {@link Model.embed} has come. */
export interface EmbedProgress {
  /** Texts whose embeddings are there. */
  readonly completed: number;
  /** Texts in the call. */
  readonly total: number;
}

/** Options of {@link Model.embed}. */
export interface EmbedOptions {
  /**
   * How the vectors of the tokens become one. Default: what the model's file asks for; `mean` if it asks for nothing,
   * as files of models for generation do.
   *
   * With `none` the result holds the vectors of all tokens, one after the other: its length is the number of tokens
   * times the length of a vector.
   */
  pooling?: Pooling;
  /** Scale each vector to the Euclidean length 1, so that a dot product is the cosine. Default true. */
  normalize?: boolean;
  /**
   * Cut texts that are longer than the model's context, keeping the special token that ends them, if the model has
   * one. Default false: they are refused with PROMPT_TOO_LONG.
   */
  truncate?: boolean;
  /** Called after each batch. What it throws ends the call and is what the call rejects with. */
  onProgress?: (progress: EmbedProgress) => void;
  /** Cancels: batches that have not begun are not computed, and the call rejects with an `AbortError`. */
  signal?: AbortSignal;
}

/** How far a call of {@link Model.rank} has come. */
export interface RankProgress {
  /** Documents whose scores are there. */
  readonly completed: number;
  /** Documents in the call. */
  readonly total: number;
  /** Tokens that the whole call reads: the query with each document, and the special tokens around them. */
  readonly tokens: number;
}

/** Options of {@link Model.rank}. */
export interface RankOptions {
  /** Called after each batch. What it throws ends the call and is what the call rejects with. */
  onProgress?: (progress: RankProgress) => void;
  /** Cancels: batches that have not begun are not computed, and the call rejects with an `AbortError`. */
  signal?: AbortSignal;
}

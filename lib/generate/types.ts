import type { ContextFullPolicy } from '../native/addon.js';
import type { ConstraintOptions } from './constraint.js';
import type { SamplingOptions } from './sampling-options.js';

// biome-ignore-start lint/suspicious/noConfusingVoidType: most of them return nothing
/**
 * Looks at, and may change, the logits from which the next token is chosen: one number for each token of the
 * vocabulary. Change them in place, or return others of the same length; `-Infinity` forbids a token.
 * @param tokens the prompt and what was generated, as far as the context holds it.
 */
export type LogitsProcessor = (
  logits: Float32Array,
  tokens: Int32Array,
) => Float32Array | undefined | void | Promise<Float32Array | undefined | void>;
// biome-ignore-end lint/suspicious/noConfusingVoidType: most of them return nothing

/** What {@link Model.generate} accepts beside the prompt. */
export interface GenerateOptions extends SamplingOptions, ConstraintOptions {
  /** Most tokens to generate. Default: until the model ends its answer or the context is full. */
  maxTokens?: number;
  /** Texts at which generation ends; none of them appears in the output. Default: none. */
  stop?: string | readonly string[];
  /** Go on after the model's end-of-sequence token, until `maxTokens`. Default: false. */
  ignoreEndOfSequence?: boolean;
  /** Put the vocabulary's begin-of-sequence token before a text prompt, if the model wants one. Default: true. */
  addSpecial?: boolean;
  /** Read control tokens such as `<|im_start|>` written in a text prompt as such. Default: false. */
  parseSpecial?: boolean;
  /**
   * What happens when the context is full: `'stop'` ends the answer with reason `length`, `'error'` fails with
   * CONTEXT_FULL, `'shift'` forgets the older half of what lies behind the first `keepTokens` and goes on.
   * Default `'stop'`.
   */
  contextFull?: ContextFullPolicy;
  /** How many of the first tokens a shift keeps, such as those of a system prompt. Default 4. */
  keepTokens?: number;
  /** Among generations that wait, higher ones start first. A whole number from −1000 to 1000. Default 0. */
  priority?: number;
  /**
   * Report the log-probability of each token as the model sees it, before any sampling option: `true` of the token
   * alone, a number from 0 to 20 also of that many most probable ones. Default: false.
   */
  logprobs?: boolean | number;
  /** False: without guesses, though the model was loaded with `speculative`. Default: true. */
  speculative?: boolean;
  /**
   * Called for each token, before all sampling steps. Slow: each token waits for JavaScript, and each call copies the
   * logits twice. Other generations go on meanwhile. If it throws or rejects, the generation fails with
   * LOGITS_PROCESSOR_FAILED.
   */
  logitsProcessor?: LogitsProcessor;
  /**
   * Called once, when the prompt begins to be evaluated: how many tokens it has, and how many of them need not be
   * evaluated. Not called for what fails before. If it throws, the generation fails with that. Default: nothing.
   */
  onStart?: (prompt: PromptUsage) => void;
  /** Cancels: iteration and `result` reject with an `AbortError`; its `details.text` holds what was made. */
  signal?: AbortSignal;
}

/** What {@link Model.generateMany} accepts beside the prompt. */
export interface GenerateManyOptions extends GenerateOptions {
  /** How many answers, 1 to 256. */
  n: number;
}

/** The natural logarithm of a token's probability, from the model's own distribution. */
export interface Logprob {
  readonly token: number;
  /** The text of the token alone; a token that is only part of a character reads as U+FFFD. */
  readonly text: string;
  readonly logprob: number;
}

/** A generated token with its log-probability and, if asked for, the most probable tokens in its place. */
export interface TokenLogprob extends Logprob {
  /** Descending. */
  readonly top: readonly Logprob[];
}

/** A piece of the answer as it is made. */
export interface GenerationChunk {
  /** New text; always whole characters. */
  readonly text: string;
  /** The tokens this text was made from. */
  readonly tokens: readonly number[];
  /** One entry for each token, if `logprobs` asked for them. */
  readonly logprobs?: readonly TokenLogprob[];
}

/**
 * Why generation ended: `stop` the model ended its answer, or a stop string was met; `length` `maxTokens` was
 * reached or the context is full; `cancelled` the caller left the loop.
 */
export type FinishReason = 'stop' | 'length' | 'cancelled';

/** How many tokens are read. */
export interface PromptUsage {
  /** Tokens of the prompt, cached ones included. */
  readonly promptTokens: number;
  /** Prompt tokens that were already in the KV cache and cost nothing. */
  readonly cachedTokens: number;
}

/** How many tokens were read and made. */
export interface Usage extends PromptUsage {
  readonly completionTokens: number;
  /** How often older tokens were forgotten to make room; see `contextFull`. */
  readonly contextShifts: number;
}

/** Where the time went, in milliseconds. */
export interface Timings {
  /** From the call to the start of its evaluation. */
  readonly queueMs: number;
  /** Evaluating the part of the prompt that was not cached. */
  readonly promptMs: number;
  /** From the call to the first token. */
  readonly timeToFirstTokenMs: number;
  /** From the first token to the last. */
  readonly completionMs: number;
  readonly totalMs: number;
  /** Tokens guessed ahead; 0 unless the model was loaded with `speculative`. */
  readonly draftTokens: number;
  /** Those of them that were right: each saved an evaluation. */
  readonly acceptedDraftTokens: number;
  /** Prompt tokens evaluated (without cached ones) per second; 0 if none were. */
  readonly promptTokensPerSecond: number;
  /** Tokens generated per second, the first one not counted; 0 if fewer than two were made. */
  readonly completionTokensPerSecond: number;
}

/** A finished generation. */
export interface GenerationResult {
  readonly text: string;
  readonly tokens: readonly number[];
  /** One entry for each token, if `logprobs` asked for them. */
  readonly logprobs?: readonly TokenLogprob[];
  readonly finishReason: FinishReason;
  /** The stop string that ended it, if one did. */
  readonly stopString?: string;
  readonly usage: Usage;
  readonly timings: Timings;
}

/**
 * A running generation: iterate it for chunks, or await `result`; both may be done. It starts at once. Leaving the
 * loop early stops the work, and `result` then holds what was made until then.
 */
export interface Generation extends AsyncIterable<GenerationChunk> {
  readonly result: Promise<GenerationResult>;
}

import type { GenerationStream } from '../generate/generation-stream.js';
import type { LogitsProcessor, PromptUsage } from '../generate/types.js';
import type { ContextFullPolicy, NativeSamplingOptions } from '../native/addon.js';
import type { Restoration } from './prefix-keeper.js';

/** A generation as the layers above ask for it. */
export interface EngineRequest {
  /** The prompt, which may still be rendered and tokenized; and what ends the answer. */
  readonly prompt: Promise<PreparedPrompt>;
  readonly sampling: NativeSamplingOptions;
  readonly maxTokens: number | undefined;
  readonly contextFull: ContextFullPolicy;
  readonly keepTokens: number;
  /** How many alternatives are reported with each token; −1: no log-probabilities at all. */
  readonly logprobs: number;
  /** Whether tokens are guessed ahead, where the engine can. */
  readonly speculate: boolean;
  readonly logitsProcessor: LogitsProcessor | undefined;
  /** Higher ones are admitted first; within one priority, those that asked first. */
  readonly priority: number;
  readonly signal: AbortSignal | undefined;
  /** Told when the prompt begins to be evaluated. */
  readonly onStart?: ((prompt: PromptUsage) => void) | undefined;
}

/** A prompt as the loop takes it. */
export interface PreparedPrompt {
  readonly tokens: Int32Array;
  readonly stopStrings: readonly string[];
  /** Control tokens that appear in the text. Default: none. */
  readonly visibleTokens?: Int32Array;
  /** What is known only now of how tokens are chosen, such as the grammar of tool calls. */
  readonly sampling?: Partial<NativeSamplingOptions>;
}

/** A generation on its way through the engine. */
export interface Job {
  readonly id: number;
  readonly request: EngineRequest;
  readonly stream: GenerationStream;
  readonly asked: number;
  prompt: Int32Array;
  stopStrings: readonly string[];
  visibleTokens: Int32Array;
  sampling: Partial<NativeSamplingOptions>;
  /** Where it runs; undefined while it waits. */
  sequence: number | undefined;
  cancelled: boolean;
  /** Its saved prefix: not looked for yet, being read, or read (undefined: none). */
  restoration: 'unknown' | 'loading' | Restoration | undefined;
  /** Why it was stopped, if its logits processor failed. */
  failure?: Error;
  readonly removeAbortListener: () => void;
}

/** A generation that was asked for now, and of whose prompt nothing is known yet. */
export function createJob(
  id: number,
  request: EngineRequest,
  stream: GenerationStream,
  removeAbortListener: () => void,
): Job {
  return {
    id,
    request,
    stream,
    asked: performance.now(),
    prompt: new Int32Array(),
    stopStrings: [],
    visibleTokens: new Int32Array(),
    sampling: {},
    sequence: undefined,
    cancelled: false,
    restoration: 'unknown',
    removeAbortListener,
  };
}

import type { NativeMetrics } from '../native/addon.js';

/** How a model is doing, and what it has done since it was loaded. */
export interface ModelMetrics {
  /** Generations that wait for a sequence. */
  readonly waiting: number;
  /** Generations that run. */
  readonly running: number;
  /** Tokens the KV cache holds in all. */
  readonly contextSize: number;
  /** Tokens it holds now, for running generations and as prefixes for later ones; shared ones counted once. */
  readonly residentTokens: number;
  /** Prompt tokens of finished generations. */
  readonly promptTokens: number;
  /** Those of them that came from the KV cache. */
  readonly cachedTokens: number;
  /** Tokens made by finished generations. */
  readonly completionTokens: number;
  /** Batches evaluated. */
  readonly steps: number;
  /** Tokens in a batch on average, over the batch size: 0 to 1. */
  readonly batchFill: number;
  /** Tokens evaluated per second of evaluation, prompts and answers together. */
  readonly tokensPerSecond: number;
  /** Idle prefixes given up for room. */
  readonly evictions: number;
  /** Generations paused for room, and computed again later. */
  readonly pauses: number;
  /** Times older tokens were forgotten; see `contextFull`. */
  readonly contextShifts: number;
  /** Tokens guessed ahead by finished generations; see `speculative`. */
  readonly draftTokens: number;
  /** Those of them that were right. */
  readonly acceptedDraftTokens: number;
  /** How many steps took up to `upToMs` milliseconds and longer than the entry before; the last one is open. */
  readonly stepTimes: readonly { readonly upToMs: number; readonly count: number }[];
}

interface Situation {
  readonly waiting: number;
  readonly running: number;
  readonly contextSize: number;
  readonly batchSize: number;
  readonly residentTokens: number;
}

/** Puts the loop's counts and the engine's situation together. */
export function toModelMetrics(native: NativeMetrics, situation: Situation): ModelMetrics {
  const { steps, batchTokens, stepMs, stepHistogram } = native;
  const last = stepHistogram.length - 1;
  return {
    waiting: situation.waiting,
    running: situation.running,
    contextSize: situation.contextSize,
    residentTokens: situation.residentTokens,
    promptTokens: native.promptTokens,
    cachedTokens: native.cachedTokens,
    completionTokens: native.completionTokens,
    steps,
    batchFill: steps === 0 ? 0 : batchTokens / steps / situation.batchSize,
    tokensPerSecond: stepMs === 0 ? 0 : (batchTokens * 1000) / stepMs,
    evictions: native.evictions,
    pauses: native.pauses,
    contextShifts: native.shifts,
    draftTokens: native.draftTokens,
    acceptedDraftTokens: native.acceptedDraftTokens,
    stepTimes: stepHistogram.map((count, index) => ({
      upToMs: index === last ? Number.POSITIVE_INFINITY : 2 ** index,
      count,
    })),
  };
}

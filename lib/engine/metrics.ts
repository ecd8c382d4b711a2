import type { EngineProcessMetrics, NativeDevice, NativeMetrics } from '../native/addon.js';
import type { PrefixStoreCounts } from './prefix-store.js';

/** What is kept outside the KV cache, and what came of it. */
export interface PrefixCacheMetrics {
  /** Prefixes in memory, and their bytes. */
  readonly memoryEntries: number;
  readonly memoryBytes: number;
  /** Prefixes of this model in files, and their bytes; a prefix may be in both. */
  readonly diskEntries: number;
  readonly diskBytes: number;
  /** States saved from the KV cache, and the time that took. */
  readonly saved: number;
  readonly saveMs: number;
  /** Generations that began from a saved state, how many of their tokens it held, and the time it took. */
  readonly restored: number;
  readonly restoredTokens: number;
  readonly restoreMs: number;
  /** Entries that were damaged or another model's: each was deleted, and its tokens were evaluated again. */
  readonly refused: number;
  /** Reads and writes of files that failed, such as on a full disk. */
  readonly failures: number;
}

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
  /** Tokens evaluated in them, prompts and answers together, of running generations too. */
  readonly evaluatedTokens: number;
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
  /** Prefixes kept outside the KV cache; see `prefixCache`. */
  readonly prefixCache: PrefixCacheMetrics;
  /** How many steps took up to `upToMs` milliseconds and longer than the entry before; the last one is open. */
  readonly stepTimes: readonly { readonly upToMs: number; readonly count: number }[];
  /** The devices that the engine can use, with their free memory. */
  readonly devices: readonly NativeDevice[];
  /** The process of the engine, if the model was loaded with `isolate`. After a crash the counts above begin anew. */
  readonly engineProcess?: EngineProcessMetrics;
}

interface Situation {
  readonly waiting: number;
  readonly running: number;
  readonly contextSize: number;
  readonly batchSize: number;
  readonly residentTokens: number;
  readonly stored: PrefixStoreCounts;
  readonly devices: readonly NativeDevice[];
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
    evaluatedTokens: batchTokens,
    batchFill: steps === 0 ? 0 : batchTokens / steps / situation.batchSize,
    tokensPerSecond: stepMs === 0 ? 0 : (batchTokens * 1000) / stepMs,
    evictions: native.evictions,
    pauses: native.pauses,
    contextShifts: native.shifts,
    draftTokens: native.draftTokens,
    acceptedDraftTokens: native.acceptedDraftTokens,
    prefixCache: {
      ...situation.stored,
      saved: native.statesSaved,
      saveMs: native.stateSaveMs,
      restored: native.statesRestored,
      restoredTokens: native.stateTokensRestored,
      restoreMs: native.stateRestoreMs,
    },
    stepTimes: stepHistogram.map((count, index) => ({
      upToMs: index === last ? Number.POSITIVE_INFINITY : 2 ** index,
      count,
    })),
    devices: situation.devices,
    ...(native.engineProcess && { engineProcess: native.engineProcess }),
  };
}

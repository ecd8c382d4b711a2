import type { GenerationResult, Timings, Usage } from '../generate/types.js';

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function perSecond(count: number, milliseconds: number): number {
  return count > 0 && milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}

/** The usage of several generations together. */
export function combineUsage(results: readonly GenerationResult[]): Usage {
  const total = (key: keyof Usage) => sum(results.map(({ usage }) => usage[key]));
  return {
    promptTokens: total('promptTokens'),
    cachedTokens: total('cachedTokens'),
    completionTokens: total('completionTokens'),
    contextShifts: total('contextShifts'),
  };
}

/** The timings of several generations, one after the other. */
export function combineTimings(results: readonly GenerationResult[]): Timings {
  const [first] = results;
  if (first !== undefined && results.length === 1) return first.timings;
  const total = (key: keyof Timings) => sum(results.map(({ timings }) => timings[key]));
  const { promptTokens, cachedTokens, completionTokens } = combineUsage(results);
  const promptMs = total('promptMs');
  const completionMs = total('completionMs');
  return {
    queueMs: total('queueMs'),
    promptMs,
    timeToFirstTokenMs: first?.timings.timeToFirstTokenMs ?? 0,
    completionMs,
    totalMs: total('totalMs'),
    draftTokens: total('draftTokens'),
    acceptedDraftTokens: total('acceptedDraftTokens'),
    promptTokensPerSecond: perSecond(promptTokens - cachedTokens, promptMs),
    // The first token of each generation comes with its prompt.
    completionTokensPerSecond: perSecond(completionTokens - results.length, completionMs),
  };
}

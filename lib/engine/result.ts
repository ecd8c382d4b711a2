import type { GenerationStream } from '../generate/generation-stream.js';
import type { GenerationResult } from '../generate/types.js';
import type { NativeFinish } from '../native/addon.js';

/** What is known of a generation besides how it ended. */
export interface EndedJob {
  readonly prompt: Int32Array;
  readonly stopStrings: readonly string[];
  readonly stream: GenerationStream;
  readonly request: { readonly logprobs: number };
  /** When it was asked for, by `performance.now()`. */
  readonly asked: number;
}

function perSecond(count: number, milliseconds: number): number {
  return count > 0 && milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}

/** What the caller gets when a generation ended. */
export function toResult(job: EndedJob, finish: NativeFinish): GenerationResult {
  const stopString = job.stopStrings[finish.stopString];
  return {
    text: job.stream.text,
    tokens: job.stream.tokens,
    ...(job.request.logprobs >= 0 && { logprobs: job.stream.logprobs }),
    finishReason: finish.reason === 'failed' ? 'cancelled' : finish.reason,
    ...(stopString === undefined ? {} : { stopString }),
    usage: {
      promptTokens: finish.promptTokens,
      cachedTokens: finish.cachedTokens,
      completionTokens: finish.completionTokens,
      contextShifts: finish.shifts,
    },
    timings: {
      queueMs: finish.queueMs,
      promptMs: finish.promptMs,
      timeToFirstTokenMs: finish.firstTokenMs,
      completionMs: finish.completionMs,
      totalMs: finish.totalMs,
      draftTokens: finish.draftTokens,
      acceptedDraftTokens: finish.acceptedDraftTokens,
      promptTokensPerSecond: perSecond(finish.promptTokens - finish.cachedTokens, finish.promptMs),
      completionTokensPerSecond: perSecond(finish.decodeSteps, finish.completionMs),
    },
  };
}

/** What the caller gets of a generation that was left before it began. */
export function cancelledBeforeStart({ prompt, asked }: EndedJob): GenerationResult {
  const waited = performance.now() - asked;
  return {
    text: '',
    tokens: [],
    finishReason: 'cancelled',
    usage: { promptTokens: prompt.length, cachedTokens: 0, completionTokens: 0, contextShifts: 0 },
    timings: {
      queueMs: waited,
      promptMs: 0,
      timeToFirstTokenMs: 0,
      completionMs: 0,
      totalMs: waited,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      promptTokensPerSecond: 0,
      completionTokensPerSecond: 0,
    },
  };
}

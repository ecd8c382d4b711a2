import { countReasoningTokens } from '../../ecosystem/model-face.js';
import type { ChatResult, Model, Timings, Usage } from '../../index.js';

/** How many tokens were read and made, as chat completions and completions tell it. */
export interface OpenaiUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  readonly completion_tokens_details?: { readonly reasoning_tokens: number };
}

/**
 * The usage of several answers to one prompt, which counts once; it was cached as far as it was for the first.
 * @param reasoningTokens of all answers together; left out where there is no reasoning, as in completions.
 */
export function toUsage(usages: readonly Usage[], reasoningTokens?: number): OpenaiUsage {
  const promptTokens = usages[0]?.promptTokens ?? 0;
  const completionTokens = usages.reduce((sum, usage) => sum + usage.completionTokens, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: usages[0]?.cachedTokens ?? 0 },
    ...(reasoningTokens !== undefined && {
      completion_tokens_details: { reasoning_tokens: reasoningTokens },
    }),
  };
}

/** The usages of several prompts together. */
export function addUsages(usages: readonly OpenaiUsage[]): OpenaiUsage {
  const sum = (read: (usage: OpenaiUsage) => number) =>
    usages.reduce((total, usage) => total + read(usage), 0);
  return {
    prompt_tokens: sum((usage) => usage.prompt_tokens),
    completion_tokens: sum((usage) => usage.completion_tokens),
    total_tokens: sum((usage) => usage.total_tokens),
    prompt_tokens_details: { cached_tokens: sum((usage) => usage.prompt_tokens_details.cached_tokens) },
  };
}

/** How many tokens of these answers were reasoning. */
export async function reasoningTokensOf(model: Model, results: readonly ChatResult[]): Promise<number> {
  const counts = await Promise.all(
    results.map(({ reasoning, usage }) => countReasoningTokens(model, reasoning, usage.completionTokens)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

function perToken(tokensPerSecond: number): number {
  return tokensPerSecond > 0 ? 1000 / tokensPerSecond : 0;
}

/** Where the time went, in llama-server's words; of the first answer, where there are several. */
export function toTimings({ usage, timings }: { readonly usage: Usage; readonly timings: Timings }): object {
  const promptTokens = usage.promptTokens - usage.cachedTokens;
  return {
    cache_n: usage.cachedTokens,
    prompt_n: promptTokens,
    prompt_ms: timings.promptMs,
    prompt_per_token_ms: perToken(timings.promptTokensPerSecond),
    prompt_per_second: timings.promptTokensPerSecond,
    predicted_n: usage.completionTokens,
    predicted_ms: timings.completionMs,
    predicted_per_token_ms: perToken(timings.completionTokensPerSecond),
    predicted_per_second: timings.completionTokensPerSecond,
    ...(timings.draftTokens > 0 && {
      draft_n: timings.draftTokens,
      draft_n_accepted: timings.acceptedDraftTokens,
    }),
  };
}

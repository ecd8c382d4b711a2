import type { Generation, GenerationResult, Model } from '../../index.js';
import type { CompletionPlan, Prompt } from './completion-request.js';
import { addUsages, type OpenaiUsage, toUsage } from './usage.js';

/** The answers to one prompt. */
export interface PromptAnswers {
  readonly generations: readonly Generation[];
  /** What the answers begin with: the prompt, if it is to be repeated. */
  readonly echo: string;
}

async function echoOf(model: Model, prompt: Prompt, echoes: boolean): Promise<string> {
  if (!echoes) return '';
  return typeof prompt === 'string' ? prompt : model.detokenize(prompt, { renderSpecial: true });
}

/** Starts the answers to all prompts; the signal ends them together. */
export async function startCompletions(
  model: Model,
  { prompts, options, echoes }: CompletionPlan,
  signal: AbortSignal,
): Promise<PromptAnswers[]> {
  const echoed = await Promise.all(prompts.map((prompt) => echoOf(model, prompt, echoes)));
  return prompts.map((prompt, index) => ({
    generations: model.generateMany(prompt, { ...options, signal }),
    echo: echoed[index] ?? '',
  }));
}

function meanLogprob({ logprobs = [] }: GenerationResult): number {
  const sum = logprobs.reduce((total, { logprob }) => total + logprob, 0);
  return logprobs.length === 0 ? Number.NEGATIVE_INFINITY : sum / logprobs.length;
}

/** The most probable answers, in the order in which they were made where none is better. */
export function bestAnswers(
  results: readonly GenerationResult[],
  count: number,
): readonly GenerationResult[] {
  if (results.length <= count) return results;
  return [...results].sort((first, second) => meanLogprob(second) - meanLogprob(first)).slice(0, count);
}

/** The usage of the answers to all prompts; a prompt counts once. */
export function usageOfAll(resultsByPrompt: readonly (readonly GenerationResult[])[]): OpenaiUsage {
  return addUsages(resultsByPrompt.map((results) => toUsage(results.map(({ usage }) => usage))));
}

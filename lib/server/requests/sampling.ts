import Type, { type Static } from 'typebox';
import type { GenerateOptions } from '../../index.js';
import { Nullable, withoutNothing } from './nullable.js';

/** How tokens are chosen, in the names of OpenAI's API and those that other servers add to them. */
export const SamplingFields = {
  max_tokens: Nullable(Type.Integer({ minimum: 1, description: 'Default: until the answer ends.' })),
  temperature: Nullable(Type.Number({ minimum: 0, maximum: 100, default: 0.8 })),
  top_p: Nullable(Type.Number({ minimum: 0, maximum: 1, default: 0.95 })),
  top_k: Nullable(Type.Integer({ minimum: 0, default: 40, description: '0 keeps all tokens.' })),
  min_p: Nullable(Type.Number({ minimum: 0, maximum: 1, default: 0.05 })),
  repeat_penalty: Nullable(Type.Number({ exclusiveMinimum: 0, maximum: 100, default: 1 })),
  frequency_penalty: Nullable(Type.Number({ minimum: -100, maximum: 100, default: 0 })),
  presence_penalty: Nullable(Type.Number({ minimum: -100, maximum: 100, default: 0 })),
  seed: Nullable(Type.Integer({ minimum: 0, maximum: 0xffffffff })),
  stop: Nullable(
    Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { maxItems: 64 })]),
  ),
  logit_bias: Nullable(Type.Record(Type.String(), Type.Number({ minimum: -100, maximum: 100 }))),
};

const SamplingRequest = Type.Object(SamplingFields);

/** The library's options for these fields. */
export function toSamplingOptions(request: Static<typeof SamplingRequest>): GenerateOptions {
  return withoutNothing({
    maxTokens: request.max_tokens,
    temperature: request.temperature,
    topP: request.top_p,
    topK: request.top_k,
    minP: request.min_p,
    repeatPenalty: request.repeat_penalty,
    frequencyPenalty: request.frequency_penalty,
    presencePenalty: request.presence_penalty,
    seed: request.seed,
    stop: Array.isArray(request.stop) && request.stop.length === 0 ? undefined : request.stop,
    logitBias: request.logit_bias as Record<number, number> | null | undefined,
  });
}

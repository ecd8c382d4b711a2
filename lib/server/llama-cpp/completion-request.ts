import Type, { type Static } from 'typebox';
import type { GenerateOptions, LogitBias, Model } from '../../index.js';
import { invalidField, RequestError } from '../failures.js';
import { Nullable, withoutNothing } from '../requests/nullable.js';
import { PromptSchema } from './prompts.js';

const integer = (minimum: number, more: object = {}) => Nullable(Type.Integer({ minimum, ...more }));
const number = (minimum: number, maximum: number) => Nullable(Type.Number({ minimum, maximum }));
const BiasValue = Type.Union([Type.Number(), Type.Literal(false)]);

/** What `/completion` and `/infill` have in common. Fields that have no effect here are not listed, and are ignored. */
export const CompletionFields = {
  model: Nullable(Type.String({ description: 'Name of the model. Default: the default model.' })),
  stream: Nullable(Type.Boolean({ default: false })),
  n_predict: integer(-1, { description: '-1: until the answer ends. 0: only read the prompt.' }),
  n_cmpl: integer(1, { maximum: 256, description: 'How many answers to each prompt.' }),
  temperature: number(-100, 100),
  dynatemp_range: number(0, 100),
  dynatemp_exponent: number(0, 100),
  top_k: integer(-1),
  top_p: number(0, 1),
  min_p: number(0, 1),
  top_n_sigma: number(-1, 100),
  typical_p: number(0, 1),
  repeat_penalty: Nullable(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
  repeat_last_n: integer(-1),
  presence_penalty: number(-100, 100),
  frequency_penalty: number(-100, 100),
  dry_multiplier: number(0, 100),
  dry_base: number(0, 100),
  dry_allowed_length: integer(0),
  dry_penalty_last_n: integer(-1),
  dry_sequence_breakers: Nullable(Type.Array(Type.String())),
  xtc_probability: number(0, 1),
  xtc_threshold: number(0, 1),
  mirostat: Nullable(Type.Union([Type.Literal(0), Type.Literal(1), Type.Literal(2)])),
  mirostat_tau: number(0, 20),
  mirostat_eta: number(0, 1),
  adaptive_target: number(-1, 1),
  adaptive_decay: number(0, 0.99),
  min_keep: integer(0),
  seed: Nullable(Type.Integer({ minimum: -1, maximum: 0xffffffff, description: '-1: a new one.' })),
  stop: Nullable(Type.Array(Type.String())),
  grammar: Nullable(Type.String({ description: 'In GBNF.' })),
  json_schema: Nullable(Type.Record(Type.String(), Type.Unknown())),
  ignore_eos: Nullable(Type.Boolean()),
  logit_bias: Nullable(
    Type.Union([
      Type.Array(Type.Tuple([Type.Union([Type.Integer({ minimum: 0 }), Type.String()]), BiasValue])),
      Type.Record(Type.String(), BiasValue),
    ]),
  ),
  n_probs: integer(0, { maximum: 20 }),
  post_sampling_probs: Nullable(Type.Boolean({ description: 'Only false is supported.' })),
  return_tokens: Nullable(Type.Boolean()),
  timings_per_token: Nullable(Type.Boolean()),
  response_fields: Nullable(Type.Array(Type.String())),
  lora: Nullable(Type.Array(Type.Unknown(), { description: 'Only an empty array is supported.' })),
};

/** The body of `POST /completion`. */
export const CompletionRequest = Type.Object({ prompt: PromptSchema, ...CompletionFields });

/** The fields of a completion, wherever its prompt comes from. */
export const CompletionSettings = Type.Object(CompletionFields);
export type CompletionSettings = Static<typeof CompletionSettings>;

/** Of llama-server's numbers, negative ones say: as much as there is, or not at all. */
const unlessNegative = (value: number | null | undefined) =>
  typeof value === 'number' && value < 0 ? undefined : value;

async function readLogitBias(
  model: Model,
  bias: CompletionSettings['logit_bias'],
): Promise<Map<number, LogitBias> | undefined> {
  if (bias === undefined || bias === null) return undefined;
  const biases = new Map<number, LogitBias>();
  for (const [key, value] of Array.isArray(bias) ? bias : Object.entries(bias)) {
    const isId = typeof key === 'number' || /^\d+$/.test(key);
    const tokens = isId
      ? [Number(key)]
      : await model.tokenize(key, { addSpecial: false, parseSpecial: true });
    for (const token of tokens) biases.set(token, value === false ? 'never' : value);
  }
  return biases.size === 0 ? undefined : biases;
}

function checkSupported({ post_sampling_probs, lora, grammar, json_schema }: CompletionSettings): void {
  const refuse = (param: string, message: string) =>
    new RequestError('invalid-request', 'not_supported', message, { param, status: 501 });
  if (post_sampling_probs === true) {
    throw refuse('post_sampling_probs', 'Probabilities after sampling are not reported. Leave it out.');
  }
  if (lora?.length) {
    throw refuse('lora', 'Adapters are chosen when a model is loaded, not for a request. Leave lora out.');
  }
  if (grammar && json_schema) {
    throw invalidField('json_schema', 'Expected either grammar or json_schema; there are both.');
  }
}

/**
 * The library's options for such a request.
 * @throws RequestError for what cannot be served.
 */
export async function toGenerateOptions(model: Model, request: CompletionSettings): Promise<GenerateOptions> {
  checkSupported(request);
  const { n_predict: limit, temperature, stop, repeat_last_n, dry_penalty_last_n } = request;
  const wholeContext = (tokens: number | null | undefined) => (tokens === -1 ? model.contextSize : tokens);
  return withoutNothing({
    maxTokens: limit === 0 ? 1 : unlessNegative(limit),
    temperature: typeof temperature === 'number' ? Math.max(0, temperature) : undefined,
    dynamicTemperatureRange: request.dynatemp_range,
    dynamicTemperatureExponent: request.dynatemp_exponent,
    topK: request.top_k === -1 ? 0 : request.top_k,
    topP: request.top_p,
    minP: request.min_p,
    topNSigma: unlessNegative(request.top_n_sigma),
    typicalP: request.typical_p,
    repeatPenalty: request.repeat_penalty,
    repeatLastTokens: wholeContext(repeat_last_n),
    presencePenalty: request.presence_penalty,
    frequencyPenalty: request.frequency_penalty,
    dryMultiplier: request.dry_multiplier,
    dryBase: request.dry_base,
    dryAllowedLength: request.dry_allowed_length,
    dryLastTokens: wholeContext(dry_penalty_last_n),
    drySequenceBreakers: request.dry_sequence_breakers,
    xtcProbability: request.xtc_probability,
    xtcThreshold: request.xtc_threshold,
    mirostat: request.mirostat,
    mirostatTau: request.mirostat_tau,
    mirostatEta: request.mirostat_eta,
    adaptiveTarget: unlessNegative(request.adaptive_target),
    adaptiveDecay: request.adaptive_decay,
    minKeep: request.min_keep,
    seed: unlessNegative(request.seed),
    stop: stop?.filter((text) => text !== ''),
    grammar: request.grammar || undefined,
    jsonSchema: request.json_schema,
    ignoreEndOfSequence: request.ignore_eos,
    logitBias: await readLogitBias(model, request.logit_bias),
    logprobs: request.n_probs || undefined,
  });
}

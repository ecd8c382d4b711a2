import type { GenerateOptions, SamplingOptions } from '../../index.js';
import { type JsonObject, readArray, readText, unexpected } from './checks.js';
import {
  type OptionalField,
  optionalInteger,
  optionalNumber,
  optionalObject,
  optionalOneOf,
} from './fields.js';

interface SamplingField {
  readonly option: keyof SamplingOptions;
  readonly isWhole?: true;
  readonly minimum: number;
  readonly maximum: number;
  readonly description: string;
}

const most = 0x7fff_ffff;
const longestMemory = 1 << 20;

/** The numbers that choose the next token: OpenAI's, then those that llama-server's clients send. */
const numbers = {
  temperature: {
    option: 'temperature',
    minimum: 0,
    maximum: 100,
    description: 'Randomness; 0 always takes the most probable token. Default 0.8.',
  },
  top_p: {
    option: 'topP',
    minimum: 0,
    maximum: 1,
    description: 'Keep the most probable tokens that together reach this probability. Default 0.95.',
  },
  frequency_penalty: {
    option: 'frequencyPenalty',
    minimum: -100,
    maximum: 100,
    description: 'Subtracted once per earlier occurrence of a token. Default 0.',
  },
  presence_penalty: {
    option: 'presencePenalty',
    minimum: -100,
    maximum: 100,
    description: 'Subtracted once if a token occurred. Default 0.',
  },
  top_k: {
    option: 'topK',
    isWhole: true,
    minimum: -1,
    maximum: most,
    description: 'Keep only the k most probable tokens; 0 and -1 keep all. Default 40.',
  },
  min_p: {
    option: 'minP',
    minimum: 0,
    maximum: 1,
    description: 'Drop tokens less probable than this share of the best one. Default 0.05.',
  },
  typical_p: {
    option: 'typicalP',
    minimum: 0,
    maximum: 1,
    description: 'Locally typical sampling; 1 is off.',
  },
  top_n_sigma: { option: 'topNSigma', minimum: 0, maximum: 100, description: 'Top-n-sigma; 0 is off.' },
  xtc_probability: { option: 'xtcProbability', minimum: 0, maximum: 1, description: 'XTC; 0 is off.' },
  xtc_threshold: { option: 'xtcThreshold', minimum: 0, maximum: 1, description: 'XTC. Default 0.1.' },
  min_keep: {
    option: 'minKeep',
    isWhole: true,
    minimum: 0,
    maximum: most,
    description: 'The least number of tokens that filters leave. Default 0.',
  },
  repeat_penalty: {
    option: 'repeatPenalty',
    minimum: 0.001,
    maximum: 100,
    description: 'Divides the logits of recent tokens; 1 is off. Default 1.',
  },
  repeat_last_n: {
    option: 'repeatLastTokens',
    isWhole: true,
    minimum: 0,
    maximum: longestMemory,
    description: 'How many recent tokens penalties look at. Default 64.',
  },
  dynatemp_range: {
    option: 'dynamicTemperatureRange',
    minimum: 0,
    maximum: 100,
    description: 'Lets the temperature vary by this much; 0 is off.',
  },
  dynatemp_exponent: {
    option: 'dynamicTemperatureExponent',
    minimum: 0,
    maximum: 100,
    description: 'How entropy maps to that range. Default 1.',
  },
  dry_multiplier: { option: 'dryMultiplier', minimum: 0, maximum: 100, description: 'DRY; 0 is off.' },
  dry_base: { option: 'dryBase', minimum: 1, maximum: 100, description: 'DRY. Default 1.75.' },
  dry_allowed_length: {
    option: 'dryAllowedLength',
    isWhole: true,
    minimum: 0,
    maximum: longestMemory,
    description: 'DRY: repetitions up to this many tokens are free. Default 2.',
  },
  dry_penalty_last_n: {
    option: 'dryLastTokens',
    isWhole: true,
    minimum: 0,
    maximum: longestMemory,
    description: 'DRY: how many recent tokens are searched. Default 64.',
  },
  mirostat: {
    option: 'mirostat',
    isWhole: true,
    minimum: 0,
    maximum: 2,
    description: 'Mirostat version 1 or 2; 0 is off.',
  },
  mirostat_tau: { option: 'mirostatTau', minimum: 0, maximum: 20, description: 'Mirostat. Default 5.' },
  mirostat_eta: { option: 'mirostatEta', minimum: 0, maximum: 1, description: 'Mirostat. Default 0.1.' },
} as const satisfies Readonly<Record<string, SamplingField>>;

type NumberName = keyof typeof numbers;

const entries = Object.entries(numbers) as [NumberName, SamplingField][];

/** Fields of a request that choose how tokens are sampled and where the answer ends. */
export const samplingProperties = {
  ...(Object.fromEntries(
    entries.map(([name, { isWhole, minimum, maximum, description }]) => [
      name,
      (isWhole === true ? optionalInteger : optionalNumber)(description, { minimum, maximum }),
    ]),
  ) as { [Name in NumberName]: OptionalField<number> }),
  seed: optionalInteger('Makes the answer repeatable. -1 and nothing: another one each time.'),
  stop: optionalOneOf<string | readonly string[]>(
    ['string', 'array'],
    'Texts at which the answer ends; none of them appears in it. At most 64.',
  ),
  logit_bias: optionalObject('What is added to the logits of tokens, by token id; -100 to 100.'),
};

/** The fields that {@link toSamplingOptions} reads, as they come from a checked body. */
export type SamplingFields = { readonly [Name in NumberName | 'seed']?: number | null } & {
  readonly stop?: string | readonly string[] | null;
  readonly logit_bias?: JsonObject | null;
};

/** The name of the field for an option of the library, to tell a client what is wrong. */
export const fieldOfOption: Readonly<Record<string, string>> = Object.fromEntries(
  entries.map(([name, { option }]) => [option, name]),
);

/** Seeds here have 32 bits; larger and negative ones are folded, so that the same seed stays the same. */
function toSeed(seed: number | null | undefined): number | undefined {
  if (seed === undefined || seed === null || seed === -1) return undefined;
  if (!Number.isSafeInteger(seed)) throw unexpected('seed', 'a whole number of at most 53 bits', seed);
  return Number(BigInt.asUintN(32, BigInt(seed)));
}

/** Stop strings, each of one character or more. */
export function toStop(stop: unknown, param = 'stop'): string[] | undefined {
  if (stop === undefined || stop === null) return undefined;
  const texts = typeof stop === 'string' ? [stop] : readArray(stop, param, 'a string or an array of strings');
  if (texts.length > 64) throw unexpected(param, 'at most 64 strings', texts);
  for (const [index, text] of texts.entries()) {
    const name = typeof stop === 'string' ? param : `${param}[${index}]`;
    if (readText(text, name) === '') throw unexpected(name, 'a string of at least one character', text);
  }
  return texts.length === 0 ? undefined : (texts as string[]);
}

function toLogitBias(biases: JsonObject | null | undefined): Record<number, number> | undefined {
  if (biases === undefined || biases === null) return undefined;
  for (const [token, bias] of Object.entries(biases)) {
    if (!/^\d{1,9}$/.test(token)) throw unexpected('logit_bias', 'token ids as names', token);
    if (typeof bias !== 'number' || !(bias >= -100 && bias <= 100))
      throw unexpected(`logit_bias.${token}`, 'a number from -100 to 100', bias);
  }
  return biases as Record<number, number>;
}

/**
 * The options of the library for the sampling fields of a checked body.
 * @throws RequestError 400 naming the field.
 */
export function toSamplingOptions(body: SamplingFields): GenerateOptions {
  const options: Record<string, unknown> = {};
  for (const [name, { option }] of entries) {
    const value = body[name];
    if (value !== undefined && value !== null) options[option] = value;
  }
  if (options.topK === -1) options.topK = 0;
  const [seed, stop, logitBias] = [toSeed(body.seed), toStop(body.stop), toLogitBias(body.logit_bias)];
  if (seed !== undefined) options.seed = seed;
  if (stop !== undefined) options.stop = stop;
  if (logitBias !== undefined) options.logitBias = logitBias;
  return options as GenerateOptions;
}

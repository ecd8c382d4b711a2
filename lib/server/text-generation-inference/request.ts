import { randomInt } from 'node:crypto';
import Type, { type Static } from 'typebox';
import type { GenerateOptions, JsonSchema } from '../../index.js';
import { invalidField } from '../failures.js';
import { Nullable, withoutNothing } from '../requests/nullable.js';

const Grammar = Type.Union([
  Type.Object({
    type: Type.Union([Type.Literal('json'), Type.Literal('json_schema')]),
    value: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.String()], {
      description: 'A JSON schema, as an object or as text.',
    }),
  }),
  Type.Object({ type: Type.Literal('regex'), value: Type.String({ minLength: 1 }) }),
]);

/** How text is generated, in the names of Text Generation Inference. */
export const GenerateParameters = Type.Object({
  max_new_tokens: Nullable(Type.Integer({ minimum: 1, default: 100 })),
  do_sample: Nullable(Type.Boolean({ default: false })),
  temperature: Nullable(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
  top_k: Nullable(Type.Integer({ minimum: 1 })),
  top_p: Nullable(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  typical_p: Nullable(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  repetition_penalty: Nullable(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
  frequency_penalty: Nullable(Type.Number({ minimum: -100, maximum: 100 })),
  seed: Nullable(Type.Integer({ minimum: 0, maximum: 0xffffffff })),
  stop: Nullable(Type.Array(Type.String({ minLength: 1 }), { maxItems: 64 })),
  truncate: Nullable(Type.Integer({ minimum: 1, description: 'Keep only the last tokens of the input.' })),
  return_full_text: Nullable(Type.Boolean({ description: 'Put the input before the text.' })),
  details: Nullable(Type.Boolean({ default: false })),
  top_n_tokens: Nullable(Type.Integer({ minimum: 0, maximum: 20 })),
  grammar: Nullable(Grammar),
  decoder_input_details: Nullable(Type.Boolean({ description: 'Only false is supported.' })),
  best_of: Nullable(Type.Integer({ minimum: 1, description: 'Only 1 is supported.' })),
  adapter_id: Nullable(Type.String({ description: 'Not supported: adapters belong to a loaded model.' })),
  watermark: Nullable(Type.Boolean({ description: 'Without effect.' })),
});

/** The body of `POST /generate` and `POST /generate_stream`. */
export const TextGenerationRequest = Type.Object({
  inputs: Type.String({ minLength: 1, description: 'The text to continue.' }),
  parameters: Nullable(GenerateParameters),
  model: Nullable(Type.String({ description: 'Name of the model. Default: the default model.' })),
});

export type TextGenerationRequest = Static<typeof TextGenerationRequest>;
type Parameters = Static<typeof GenerateParameters>;

const defaultMaxTokens = 100;

function toForm(grammar: Parameters['grammar']): Pick<GenerateOptions, 'jsonSchema' | 'regex'> {
  if (grammar === undefined || grammar === null) return {};
  const param = 'parameters.grammar.value';
  if (grammar.type === 'regex') {
    try {
      return { regex: new RegExp(grammar.value, 'u') };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw invalidField(param, `Expected a regular expression in ${param}; it cannot be read: ${reason}.`);
    }
  }
  let schema: unknown = grammar.value;
  if (typeof schema === 'string') {
    try {
      schema = JSON.parse(schema);
    } catch {
      throw invalidField(param, `Expected a JSON schema in ${param}; its text is not JSON.`);
    }
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw invalidField(param, `Expected a JSON schema in ${param}; it is no object.`);
  }
  return { jsonSchema: schema as JsonSchema };
}

function checkSupported({ decoder_input_details, best_of, adapter_id }: Parameters): void {
  const refuse = (name: string, message: string) => invalidField(`parameters.${name}`, message);
  if (decoder_input_details === true) {
    throw refuse('decoder_input_details', 'Log-probabilities of the input are not computed. Leave it out.');
  }
  if (typeof best_of === 'number' && best_of > 1) {
    throw refuse(
      'best_of',
      'One answer is generated for a request. Leave best_of out, and ask several times.',
    );
  }
  if (typeof adapter_id === 'string') {
    throw refuse('adapter_id', 'Adapters are chosen when a model is loaded. Leave adapter_id out.');
  }
}

/** Greedy unless something asks for chance. */
function toSampling(parameters: Parameters): GenerateOptions {
  const { do_sample, temperature, top_k, top_p, typical_p } = parameters;
  const isSet = (value: number | null | undefined, neutral: number) =>
    typeof value === 'number' && value !== neutral;
  const samples =
    do_sample === true || isSet(temperature, 1) || isSet(top_k, 0) || isSet(top_p, 1) || isSet(typical_p, 1);
  if (!samples) return { temperature: 0 };
  return {
    temperature: temperature ?? 1,
    topK: top_k ?? 0,
    topP: top_p ?? 1,
    typicalP: typical_p ?? 1,
    minP: 0,
    seed: parameters.seed ?? randomInt(2 ** 32),
  };
}

/**
 * The library's options for such a request; they have a seed where chance has a part.
 * @throws RequestError for what cannot be served.
 */
export function toGenerateOptions(parameters: Parameters, contextSize: number): GenerateOptions {
  checkSupported(parameters);
  const { repetition_penalty: penalty, frequency_penalty, stop } = parameters;
  return {
    maxTokens: parameters.max_new_tokens ?? defaultMaxTokens,
    ...toSampling(parameters),
    ...withoutNothing({ repeatPenalty: penalty, frequencyPenalty: frequency_penalty }),
    // There, penalties look at the whole input.
    ...((penalty || frequency_penalty) && { repeatLastTokens: contextSize }),
    ...(stop?.length && { stop }),
    ...toForm(parameters.grammar),
  };
}

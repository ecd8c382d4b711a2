import { isJsonObject, type JsonObject } from '../checkpoint/index.js';

/**
 * What config.json says about rotary positions, in one form: newer files keep everything in `rope_parameters`, older
 * ones have `rope_scaling` beside `rope_theta`. Models with two kinds of attention have an object for each.
 */
export interface RopeParameters {
  /** Of all layers, or of those with full attention. */
  readonly full: JsonObject;
  /** Of the layers with a sliding window, where they have their own. */
  readonly sliding: JsonObject | undefined;
}

const typesWithOriginalLength = ['llama3', 'yarn', 'longrope'];

/** Source: `standardize_rope_params` and its kin in Transformers. */
export function readRopeParameters(values: JsonObject): RopeParameters {
  switch (values.model_type) {
    case 'gemma3_text':
      return slidingAndFull(values);
    case 'phi3':
      return { full: ofPhi3(values), sliding: undefined };
    case 'bert':
      return { full: {}, sliding: undefined };
    default:
      return ofMost(values);
  }
}

function ofMost(values: JsonObject): RopeParameters {
  const given = firstObject(values.rope_scaling, values.rope_parameters);
  const { full_attention: full, sliding_attention: sliding } = given;
  if (isJsonObject(full) || isJsonObject(sliding)) {
    return {
      full: complete(isJsonObject(full) ? full : {}, values),
      sliding: isJsonObject(sliding) ? complete(sliding, values) : undefined,
    };
  }
  return { full: complete(given, values), sliding: undefined };
}

/** Gemma 3 scales positions only where attention is full. */
function slidingAndFull(values: JsonObject): RopeParameters {
  const given = firstObject(values.rope_parameters);
  const { full_attention: full, sliding_attention: sliding } = given;
  return {
    full: complete(
      { ...firstObject(full), ...firstObject(values.rope_scaling) },
      { rope_theta: 1_000_000, ...values },
    ),
    sliding: { rope_theta: values.rope_local_base_freq ?? 10_000, ...firstObject(sliding) },
  };
}

function ofPhi3(values: JsonObject): JsonObject {
  const { original_max_position_embeddings: length } = values;
  const parameters = complete(firstObject(values.rope_scaling, values.rope_parameters), {
    partial_rotary_factor: 1,
    ...values,
  });
  const type =
    parameters.rope_type === 'su' || parameters.rope_type === 'yarn' ? 'longrope' : parameters.rope_type;
  const original = parameters.rope_type === 'longrope' ? length : undefined;
  return {
    ...parameters,
    rope_type: type,
    original_max_position_embeddings: original ?? parameters.original_max_position_embeddings ?? length,
  };
}

function firstObject(...candidates: readonly unknown[]): JsonObject {
  return (
    (candidates.find((value) => isJsonObject(value) && Object.keys(value).length > 0) as JsonObject) ?? {}
  );
}

function complete(parameters: JsonObject, values: JsonObject): JsonObject {
  const type = parameters.rope_type ?? parameters.type ?? 'default';
  const result: Record<string, unknown> = {
    ...parameters,
    rope_type: type,
    rope_theta: parameters.rope_theta ?? values.rope_theta ?? 10_000,
  };
  const factor = parameters.partial_rotary_factor ?? values.partial_rotary_factor;
  if (factor !== undefined && factor !== null) result.partial_rotary_factor = factor;
  if (typesWithOriginalLength.includes(String(type))) {
    const original = values.original_max_position_embeddings ?? result.original_max_position_embeddings;
    result.original_max_position_embeddings = original ?? values.max_position_embeddings;
  }
  return result;
}

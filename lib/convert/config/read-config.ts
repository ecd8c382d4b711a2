import { type Checkpoint, isJsonObject, type JsonObject } from '../checkpoint/index.js';
import { configDefaults } from './defaults.js';
import { ModelConfig } from './model-config.js';
import { type RopeParameters, readRopeParameters } from './rope-parameters.js';

/** What is known of a model before its tensors are looked at. */
export interface ModelDescription {
  /** Class of Transformers that made the checkpoint, such as `LlamaForCausalLM`. */
  readonly className: string;
  /** Of the language model, without those of a picture encoder beside it; defaults are filled in. */
  readonly config: ModelConfig;
  readonly rope: RopeParameters;
}

/** Reads config.json. */
export function describeModel(checkpoint: Checkpoint): ModelDescription {
  const { config: raw, folder } = checkpoint;
  const text = isJsonObject(raw.text_config) ? raw.text_config : undefined;
  const className = firstText(text?.architectures) ?? firstText(raw.architectures);
  const config = new ModelConfig(folder, withDefaults(text === undefined ? raw : { ...raw, ...text }));
  if (className === undefined) {
    throw config.invalid(['architectures'], 'a list with the name of a model class', raw.architectures);
  }
  return { className, config, rope: readRopeParameters(config.values) };
}

function firstText(list: unknown): string | undefined {
  return Array.isArray(list) && typeof list[0] === 'string' ? list[0] : undefined;
}

function withDefaults(raw: JsonObject): JsonObject {
  const modelType = raw.model_type === 'gemma3' ? 'gemma3_text' : raw.model_type;
  const defaults = typeof modelType === 'string' ? configDefaults[modelType] : undefined;
  if (defaults === undefined) return raw;
  const given = Object.entries(raw).filter(([, value]) => value !== null);
  const values: Record<string, unknown> = {
    ...defaults,
    ...Object.fromEntries(given),
    model_type: modelType,
  };
  if (modelType !== 'bert') values.num_key_value_heads ??= values.num_attention_heads;
  if (modelType === 'llama' || modelType === 'mistral') values.head_dim ??= headLength(values);
  return values;
}

function headLength({ hidden_size: width, num_attention_heads: heads }: JsonObject): number | undefined {
  return typeof width === 'number' && typeof heads === 'number' && heads > 0
    ? Math.floor(width / heads)
    : undefined;
}

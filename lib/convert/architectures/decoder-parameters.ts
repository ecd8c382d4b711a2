import { isJsonObject, unsupportedCheckpoint } from '../checkpoint/index.js';
import { ModelConfig } from '../config/model-config.js';
import type { ModelDescription } from '../config/read-config.js';
import type { MetadataBuilder } from '../metadata-builder.js';

/** Parameters that most architectures share. Source: `TextModel.set_gguf_parameters` in conversion/base.py. */
export function addCommonParameters(metadata: MetadataBuilder, model: ModelDescription): void {
  const { config } = model;
  metadata.uint32('{arch}.block_count', layerCountOf(config));
  metadata.uint32('{arch}.context_length', config.count('max_position_embeddings', 'n_positions'));
  metadata.uint32('{arch}.embedding_length', config.requireCount('hidden_size'));
  metadata.uint32('{arch}.feed_forward_length', config.requireCount('intermediate_size'));
  metadata.uint32('{arch}.attention.head_count', config.requireCount('num_attention_heads'));
  metadata.uint32('{arch}.attention.head_count_kv', config.count('num_key_value_heads'));
  if (config.values.is_causal === false) metadata.bool('{arch}.attention.causal', false);
  addRope(metadata, model);
  metadata.float32('{arch}.attention.layer_norm_rms_epsilon', config.number('rms_norm_eps'));
  metadata.float32('{arch}.attention.layer_norm_epsilon', config.number('layer_norm_eps'));
  metadata.uint32('{arch}.attention.key_length', config.count('head_dim'));
  metadata.uint32('{arch}.attention.value_length', config.count('head_dim'));
}

/** Number of layers. A checkpoint has millions of tensors at most. */
export function layerCountOf(config: ModelConfig): number {
  return config.requireCount('num_hidden_layers');
}

function addRope(metadata: MetadataBuilder, model: ModelDescription): void {
  const { folder } = model.config;
  const rope = new ModelConfig(folder, model.rope.full);
  const factor = rope.number('factor');
  switch (rope.text('rope_type')?.toLowerCase()) {
    case 'linear':
      if (factor === undefined) break;
      metadata.string('{arch}.rope.scaling.type', 'linear');
      metadata.float32('{arch}.rope.scaling.factor', factor);
      break;
    case 'yarn':
      if (factor !== undefined) addYarn(metadata, rope, factor);
      break;
    case 'su':
    case 'longrope':
      metadata.string('{arch}.rope.scaling.type', 'longrope');
      break;
    case undefined:
    case 'default':
    case 'llama3': // becomes a tensor of factors
      break;
    default:
      throw unsupportedCheckpoint(
        folder,
        `expected default, linear, yarn, longrope or llama3 as rope_type, received ${rope.text('rope_type')}.`,
      );
  }
  metadata.float32('{arch}.rope.freq_base', rope.number('rope_theta'));
  if (isJsonObject(model.rope.sliding)) {
    const sliding = new ModelConfig(folder, model.rope.sliding);
    metadata.float32('{arch}.rope.freq_base_swa', sliding.number('rope_theta'));
  }
}

function addYarn(metadata: MetadataBuilder, rope: ModelConfig, factor: number): void {
  metadata.string('{arch}.rope.scaling.type', 'yarn');
  metadata.float32('{arch}.rope.scaling.factor', factor);
  metadata.uint32(
    '{arch}.rope.scaling.original_context_length',
    rope.requireCount('original_max_position_embeddings'),
  );
  metadata.float32('{arch}.rope.scaling.yarn_ext_factor', rope.number('extrapolation_factor'));
  metadata.float32('{arch}.rope.scaling.yarn_attn_factor', rope.number('attention_factor', 'attn_factor'));
  metadata.float32('{arch}.rope.scaling.yarn_beta_fast', rope.number('beta_fast'));
  metadata.float32('{arch}.rope.scaling.yarn_beta_slow', rope.number('beta_slow'));
}

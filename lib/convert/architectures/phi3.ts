import { ModelConfig } from '../config/model-config.js';
import type { ModelDescription } from '../config/read-config.js';
import { addPhi3Vocabulary } from '../tokenizer/vocabularies.js';
import { layerCountOf } from './decoder-parameters.js';
import type { ComputedTensor, Family } from './layout.js';
import { decoderNames, isOmitted, translateName, withLayerNames } from './tensor-names.js';

const phi3Names = withLayerNames(decoderNames, {
  'self_attn.qkv_proj': 'attn_qkv',
  'mlp.gate_up_proj': 'ffn_up',
});

/** Phi 3, 3.5 and 4. Source: conversion/phi.py of the pinned llama.cpp. */
export const phi3Family: Family = {
  classNames: ['Phi3ForCausalLM'],
  describe(model, tokenizer) {
    const { config } = model;
    const rope = new ModelConfig(config.folder, model.rope.full);
    const layerCount = layerCountOf(config);
    const originalLength = rope.requireCount('original_max_position_embeddings');
    return {
      architecture: 'phi3',
      computedTensors: longRopeFactors(model),
      planTensor(sourceName) {
        if (isOmitted(sourceName)) return 'omit';
        const name = translateName(phi3Names, sourceName, layerCount);
        return name === undefined ? undefined : { name };
      },
      addParameters(metadata) {
        metadata.uint32('{arch}.context_length', config.requireCount('max_position_embeddings'));
        metadata.uint32('{arch}.rope.scaling.original_context_length', originalLength);
        metadata.uint32('{arch}.embedding_length', config.requireCount('hidden_size'));
        metadata.uint32('{arch}.feed_forward_length', config.requireCount('intermediate_size'));
        metadata.uint32('{arch}.block_count', layerCount);
        metadata.uint32('{arch}.attention.head_count', config.requireCount('num_attention_heads'));
        metadata.uint32('{arch}.attention.head_count_kv', config.requireCount('num_key_value_heads'));
        metadata.float32('{arch}.attention.layer_norm_rms_epsilon', config.requireNumber('rms_norm_eps'));
        metadata.uint32('{arch}.rope.dimension_count', rotaryLength(model));
        metadata.float32('{arch}.rope.freq_base', rope.requireNumber('rope_theta'));
        // 0 tells Phi 4 from the others.
        metadata.uint32('{arch}.attention.sliding_window', config.count('sliding_window') ?? 0);
        metadata.float32('{arch}.rope.scaling.attn_factor', attentionFactor(model));
      },
      addVocabulary: (metadata, options) => addPhi3Vocabulary(metadata, tokenizer, config, options),
    };
  },
};

function rotaryLength({ config, rope }: ModelDescription): number {
  const share = new ModelConfig(config.folder, rope.full).number('partial_rotary_factor') ?? 1;
  const width = Math.trunc(share * config.requireCount('hidden_size'));
  return Math.floor(width / config.requireCount('num_attention_heads'));
}

function factorLists(
  model: ModelDescription,
): { long: readonly number[]; short: readonly number[] } | undefined {
  const rope = new ModelConfig(model.config.folder, model.rope.full);
  const long = rope.numbers('long_factor');
  if (long === undefined || long.length === 0) return undefined;
  const short = rope.numbers('short_factor');
  const expected = rotaryLength(model) / 2;
  if (short?.length === expected && long.length === expected) return { long, short };
  throw rope.invalid(['long_factor', 'short_factor'], `two lists of ${expected} numbers`, [long, short]);
}

/** Attention grows weaker where many positions are told apart that training did not have. */
function attentionFactor(model: ModelDescription): number | undefined {
  if (factorLists(model) === undefined) return undefined;
  const rope = new ModelConfig(model.config.folder, model.rope.full);
  const original = rope.requireCount('original_max_position_embeddings');
  const scale = model.config.requireCount('max_position_embeddings') / original;
  return scale > 1 ? Math.sqrt(1 + Math.log(scale) / Math.log(original)) : 1;
}

function longRopeFactors(model: ModelDescription): ComputedTensor[] {
  const lists = factorLists(model);
  if (lists === undefined) return [];
  return [
    { name: 'rope_factors_long.weight', values: Float32Array.from(lists.long) },
    { name: 'rope_factors_short.weight', values: Float32Array.from(lists.short) },
  ];
}

import { addGemma2Vocabulary, addGemma3Vocabulary } from '../tokenizer/vocabularies.js';
import { addCommonParameters, layerCountOf } from './decoder-parameters.js';
import type { Family } from './layout.js';
import { decoderNames, isOmitted, translateName, withLayerNames } from './tensor-names.js';

const gemma2Names = withLayerNames(decoderNames, {
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
});

const gemma3Names = withLayerNames(gemma2Names, {
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
});

/** Gemma multiplies with 1 + weight, llama.cpp with the weight. */
const shiftNorm = (sourceName: string) =>
  sourceName.endsWith('norm.weight') ? ({ change: { kind: 'add', value: 1 } } as const) : {};

/** Gemma 2. Source: conversion/gemma.py of the pinned llama.cpp. */
export const gemma2Family: Family = {
  classNames: ['Gemma2ForCausalLM'],
  describe({ config }, tokenizer) {
    const layerCount = layerCountOf(config);
    return {
      architecture: 'gemma2',
      computedTensors: [],
      planTensor(sourceName) {
        if (sourceName === 'lm_head.weight' || isOmitted(sourceName)) return 'omit';
        const name = translateName(gemma2Names, sourceName, layerCount);
        return name === undefined ? undefined : { name, ...shiftNorm(sourceName) };
      },
      addParameters(metadata) {
        metadata.uint32('{arch}.context_length', config.requireCount('max_position_embeddings'));
        metadata.uint32('{arch}.embedding_length', config.requireCount('hidden_size'));
        metadata.uint32('{arch}.block_count', layerCount);
        metadata.uint32('{arch}.feed_forward_length', config.requireCount('intermediate_size'));
        metadata.uint32('{arch}.attention.head_count', config.requireCount('num_attention_heads'));
        metadata.uint32(
          '{arch}.attention.head_count_kv',
          config.requireCount('num_key_value_heads', 'num_attention_heads'),
        );
        metadata.float32('{arch}.attention.layer_norm_rms_epsilon', config.requireNumber('rms_norm_eps'));
        metadata.uint32('{arch}.attention.key_length', config.requireCount('head_dim'));
        metadata.uint32('{arch}.attention.value_length', config.requireCount('head_dim'));
        metadata.float32('{arch}.attn_logit_softcapping', config.requireNumber('attn_logit_softcapping'));
        metadata.float32('{arch}.final_logit_softcapping', config.requireNumber('final_logit_softcapping'));
        metadata.uint32('{arch}.attention.sliding_window', config.requireCount('sliding_window'));
      },
      addVocabulary: (metadata, options) => addGemma2Vocabulary(metadata, tokenizer, config, options),
    };
  },
};

/** Gemma 3, the language model of those with pictures included. */
export const gemma3Family: Family = {
  classNames: ['Gemma3ForCausalLM', 'Gemma3ForConditionalGeneration'],
  describe(model, tokenizer) {
    const { config } = model;
    const layerCount = layerCountOf(config);
    return {
      architecture: 'gemma3',
      computedTensors: [],
      planTensor(sourceName, shape) {
        const textName = sourceName.replace('language_model.', '');
        if (isOmitted(textName)) return 'omit';
        const name = translateName(gemma3Names, textName, layerCount);
        if (name === undefined) return undefined;
        if (name !== 'token_embd.weight') return { name, ...shiftNorm(textName) };
        // Rows beyond the vocabulary are padding.
        const count = Math.min(shape[0] ?? 0, tokenizer.gemma3TokenCount(config));
        return { name, change: { kind: 'keep-rows', first: 0, count } };
      },
      addParameters(metadata) {
        addCommonParameters(metadata, model);
        metadata.float32(
          '{arch}.final_logit_softcapping',
          config.number('final_logit_softcapping') || undefined,
        );
        if (config.values.sliding_window_pattern !== 1) {
          metadata.uint32('{arch}.attention.sliding_window', config.requireCount('sliding_window'));
        }
      },
      addVocabulary: (metadata, options) => addGemma3Vocabulary(metadata, tokenizer, config, options),
    };
  },
};

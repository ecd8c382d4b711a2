import type { ModelConfig } from '../config/model-config.js';
import { addLlamaVocabulary } from '../tokenizer/vocabularies.js';
import { addCommonParameters, layerCountOf } from './decoder-parameters.js';
import type { Family } from './layout.js';
import { llama3RopeFactors } from './llama3-rope.js';
import { decoderNames, isOmitted, translateName } from './tensor-names.js';

/** Llama, Mistral and SmolLM. Source: conversion/llama.py of the pinned llama.cpp. */
export const llamaFamily: Family = llamaLike(
  ['LlamaForCausalLM', 'LLaMAForCausalLM', 'MistralForCausalLM'],
  'llama',
);

/** SmolLM 3: a Llama some of whose layers have no rotary positions. */
export const smollm3Family: Family = llamaLike(['SmolLM3ForCausalLM'], 'smollm3');

function llamaLike(classNames: readonly string[], architecture: string): Family {
  return {
    classNames,
    describe(model, tokenizer) {
      const { config } = model;
      const layerCount = layerCountOf(config);
      return {
        architecture,
        computedTensors: llama3RopeFactors(model, rotaryLength(config)),
        planTensor(sourceName) {
          if (isOmitted(sourceName)) return 'omit';
          const name = translateName(decoderNames, sourceName, layerCount);
          if (name === undefined) return undefined;
          const heads = rotatedHeads(name, config);
          return heads === undefined ? { name } : { name, change: { kind: 'pair-rotated-rows', heads } };
        },
        addParameters(metadata) {
          addCommonParameters(metadata, model);
          metadata.uint32('{arch}.vocab_size', config.requireCount('vocab_size'));
          metadata.uint32('{arch}.rope.dimension_count', rotaryLength(config));
        },
        addVocabulary: (metadata, options) => addLlamaVocabulary(metadata, tokenizer, config, options),
      };
    },
  };
}

function rotaryLength(config: ModelConfig): number {
  const heads = config.requireCount('num_attention_heads');
  return config.count('head_dim') ?? Math.floor(config.requireCount('hidden_size') / heads);
}

/** How many heads a matrix of queries or keys has. */
function rotatedHeads(name: string, config: ModelConfig): number | undefined {
  const heads = config.requireCount('num_attention_heads');
  if (/\.attn_q\.(weight|bias)$/.test(name)) return heads;
  if (/\.attn_k\.(weight|bias)$/.test(name)) return config.count('num_key_value_heads') ?? heads;
  return undefined;
}

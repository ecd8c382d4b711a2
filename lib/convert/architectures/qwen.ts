import { unsupportedCheckpoint } from '../checkpoint/index.js';
import { addPooling } from '../config/pooling.js';
import { addSentencePieceOrMerges } from '../tokenizer/vocabularies.js';
import { addCommonParameters, layerCountOf } from './decoder-parameters.js';
import type { Family } from './layout.js';
import { decoderNames, isOmitted, translateName, withLayerNames } from './tensor-names.js';

const qwen3Names = withLayerNames(decoderNames, {
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
});

/** Qwen 2 and 2.5, also as embedding models. Source: conversion/qwen.py of the pinned llama.cpp. */
export const qwen2Family: Family = qwen(['Qwen2ForCausalLM', 'Qwen2Model'], 'qwen2');

/** Qwen 3, also as embedding models. */
export const qwen3Family: Family = qwen(['Qwen3ForCausalLM', 'Qwen3Model'], 'qwen3');

function qwen(classNames: readonly string[], architecture: 'qwen2' | 'qwen3'): Family {
  const names = architecture === 'qwen3' ? qwen3Names : decoderNames;
  return {
    classNames,
    describe(model, tokenizer) {
      const { config, className } = model;
      if (/qwen3-reranker/i.test(config.folder)) throw reranker(config.folder);
      const layerCount = layerCountOf(config);
      const prefix = className.endsWith('Model') ? 'model.' : '';
      return {
        architecture,
        computedTensors: [],
        planTensor(sourceName) {
          if (isOmitted(sourceName)) return 'omit';
          const name = translateName(names, prefix + sourceName, layerCount);
          return name === undefined ? undefined : { name };
        },
        addParameters(metadata) {
          addCommonParameters(metadata, model);
          addPooling(metadata, tokenizer.folder);
        },
        addVocabulary: (metadata, options) => addSentencePieceOrMerges(metadata, tokenizer, config, options),
      };
    },
  };
}

function reranker(folder: string): Error {
  return unsupportedCheckpoint(
    folder,
    'it is a reranker, whose head is made of two rows of its output. Use a GGUF file of the same model.',
  );
}

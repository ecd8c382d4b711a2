import { isJsonObject } from '../checkpoint/index.js';
import { addPooling } from '../config/pooling.js';
import { addBertVocabulary } from '../tokenizer/vocabularies.js';
import { addCommonParameters, layerCountOf } from './decoder-parameters.js';
import type { Family } from './layout.js';
import { isOmitted, type NameTable, translateName } from './tensor-names.js';

const bertNames: NameTable = {
  whole: {
    'embeddings.word_embeddings': 'token_embd',
    'embeddings.token_type_embeddings': 'token_types',
    'embeddings.position_embeddings': 'position_embd',
    'embeddings.LayerNorm': 'token_embd_norm',
    'classifier.out_proj': 'cls.output',
    classifier: 'cls',
    'classifier.dense': 'cls',
  },
  layerPrefix: 'encoder.layer.',
  layer: {
    'attention.self.query': 'attn_q',
    'attention.self.key': 'attn_k',
    'attention.self.value': 'attn_v',
    'attention.output.dense': 'attn_output',
    'attention.output.LayerNorm': 'attn_output_norm',
    'intermediate.dense': 'ffn_up',
    'output.dense': 'ffn_down',
    'output.LayerNorm': 'layer_output_norm',
  },
};

/** BERT as an embedding model. Source: conversion/bert.py of the pinned llama.cpp. */
export const bertFamily: Family = {
  classNames: ['BertModel', 'BertForMaskedLM', 'BertForSequenceClassification'],
  describe(model, tokenizer) {
    const { config } = model;
    const layerCount = layerCountOf(config);
    const labels = classLabels(config.values.id2label);
    return {
      architecture: 'bert',
      computedTensors: [],
      planTensor(sourceName) {
        const stripped = sourceName
          .replace(/^bert\./, '')
          .replace(/\.gamma$/, '.weight')
          .replace(/\.beta$/, '.bias');
        if (isUnused(stripped) || isOmitted(stripped)) return 'omit';
        const isHead = labels !== undefined && stripped.startsWith('classifier.');
        const name = translateName(
          bertNames,
          isHead ? stripped.replace(/^classifier\.(weight|bias)$/, 'classifier.out_proj.$1') : stripped,
          layerCount,
        );
        return name === undefined ? undefined : { name };
      },
      addParameters(metadata) {
        addCommonParameters(metadata, model);
        metadata.bool('{arch}.attention.causal', false);
        addPooling(metadata, tokenizer.folder);
        metadata.strings('{arch}.classifier.output_labels', labels ?? []);
      },
      addVocabulary: (metadata, options) => addBertVocabulary(metadata, tokenizer, config, options),
    };
  },
};

/** Vectors are pooled otherwise, and there are no words to guess. */
function isUnused(name: string): boolean {
  return (
    ['embeddings.position_ids', 'pooler.dense.weight', 'pooler.dense.bias'].includes(name) ||
    /^cls\.(predictions|seq_relationship)/.test(name)
  );
}

/** Names of classes, unless they are the two that Transformers makes up. */
function classLabels(value: unknown): string[] | undefined {
  if (!isJsonObject(value)) return undefined;
  const entries = Object.entries(value).sort(([first], [second]) => Number(first) - Number(second));
  if (entries.length === 2 && entries[0]?.[1] === 'LABEL_0') return undefined;
  return entries.map(([, label]) => String(label));
}

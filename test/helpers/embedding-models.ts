/** Small models with random weights and a real WordPiece vocabulary, of the kinds that embeddings are computed with. */
import type { GgufValueInput } from '../../lib/gguf/write.js';
import { strings, text, uint32 } from './gguf-values.js';
import { writeRandomModel } from './random-models.js';
import { RandomWeights, type VocabularyChoice } from './random-weights.js';

/** Sizes of {@link writeBertModel}: what all-MiniLM-L6-v2 has, made smaller. */
export const bertSizes = { layers: 2, embedding: 64, feedForward: 128, heads: 4, context: 128 } as const;

/** Values of the key `bert.pooling_type`. */
const poolingTypes = { none: 0, mean: 1, cls: 2, last: 3, rank: 4 } as const;

/** A head on top of a BERT. */
export interface BertHead {
  /** `dense` is a hidden layer alone, `output` one that gives the scores; both are what XLM-RoBERTa's rerankers have. */
  readonly parts: readonly ('dense' | 'output')[];
  /** What its outputs stand for. Default: one output without a label. */
  readonly labels?: readonly string[];
}

/** The head of most rerankers. */
export const rankingHead: BertHead = { parts: ['dense', 'output'] };

/** What a BERT can have. */
export interface BertSettings {
  /** Default: the file asks for none. */
  readonly pooling?: keyof typeof poolingTypes;
  /** Default: none. */
  readonly head?: BertHead;
  readonly vocabulary?: VocabularyChoice;
}

/** Writes a BERT, which only encodes, and returns its path. */
export async function writeBertModel(settings: BertSettings = {}): Promise<string> {
  const { pooling, head: { parts, labels = [] } = { parts: [] }, vocabulary } = settings;
  const { layers, embedding, feedForward, heads, context } = bertSizes;
  const hyperparameters: Record<string, GgufValueInput> = {
    'general.architecture': text('bert'),
    'bert.block_count': uint32(layers),
    'bert.context_length': uint32(context),
    'bert.embedding_length': uint32(embedding),
    'bert.feed_forward_length': uint32(feedForward),
    'bert.attention.head_count': uint32(heads),
    'bert.attention.layer_norm_epsilon': { type: 'float32', value: 1e-12 },
    'bert.attention.causal': { type: 'bool', value: false },
    ...(pooling === undefined ? {} : { 'bert.pooling_type': uint32(poolingTypes[pooling]) }),
    ...(labels.length === 0 ? {} : { 'bert.classifier.output_labels': strings(...labels) }),
  };
  const weights = new RandomWeights();
  const norm = (name: string) => [
    weights.around(1, `${name}.weight`, [embedding]),
    weights.around(0, `${name}.bias`, [embedding]),
  ];
  const linear = (name: string, columns: number, rows: number) => [
    weights.matrix(`${name}.weight`, columns, rows),
    weights.around(0, `${name}.bias`, [rows]),
  ];
  const layer = (name: string) => [
    ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].flatMap((part) =>
      linear(`${name}.${part}`, embedding, embedding),
    ),
    ...norm(`${name}.attn_output_norm`),
    ...linear(`${name}.ffn_up`, embedding, feedForward),
    ...linear(`${name}.ffn_down`, feedForward, embedding),
    ...norm(`${name}.layer_output_norm`),
  ];
  return writeRandomModel({
    name: `bert-${pooling ?? 'plain'}`,
    hyperparameters,
    ...(vocabulary && { vocabulary }),
    tensorsFor: (vocabularySize, tokenTypes) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      weights.matrix('token_types.weight', embedding, tokenTypes),
      weights.matrix('position_embd.weight', embedding, context),
      ...norm('token_embd_norm'),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
      ...(parts.includes('dense') ? linear('cls', embedding, embedding) : []),
      ...(parts.includes('output') ? linear('cls.output', embedding, Math.max(1, labels.length)) : []),
    ],
  });
}

/** Writes a Qwen3 with the head of its rerankers, which reads the last token and tells yes from no; returns its path. */
export async function writeQwen3Ranker(): Promise<string> {
  const { layers, embedding, feedForward, heads, context } = bertSizes;
  const headLength = embedding / heads;
  const keyValue = 2 * headLength;
  const weights = new RandomWeights();
  const layer = (name: string) => [
    weights.around(1, `${name}.attn_norm.weight`, [embedding]),
    weights.matrix(`${name}.attn_q.weight`, embedding, embedding),
    weights.matrix(`${name}.attn_k.weight`, embedding, keyValue),
    weights.matrix(`${name}.attn_v.weight`, embedding, keyValue),
    weights.around(1, `${name}.attn_q_norm.weight`, [headLength]),
    weights.around(1, `${name}.attn_k_norm.weight`, [headLength]),
    weights.matrix(`${name}.attn_output.weight`, embedding, embedding),
    weights.around(1, `${name}.ffn_norm.weight`, [embedding]),
    weights.matrix(`${name}.ffn_gate.weight`, embedding, feedForward),
    weights.matrix(`${name}.ffn_up.weight`, embedding, feedForward),
    weights.matrix(`${name}.ffn_down.weight`, feedForward, embedding),
  ];
  return writeRandomModel({
    name: 'qwen3-ranker',
    hyperparameters: {
      'general.architecture': text('qwen3'),
      'qwen3.block_count': uint32(layers),
      'qwen3.context_length': uint32(context),
      'qwen3.embedding_length': uint32(embedding),
      'qwen3.feed_forward_length': uint32(feedForward),
      'qwen3.attention.head_count': uint32(heads),
      'qwen3.attention.head_count_kv': uint32(2),
      'qwen3.attention.key_length': uint32(headLength),
      'qwen3.attention.value_length': uint32(headLength),
      'qwen3.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-6 },
      'qwen3.pooling_type': uint32(poolingTypes.rank),
      'qwen3.classifier.output_labels': strings('yes', 'no'),
    },
    tensorsFor: (vocabularySize) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      weights.around(1, 'output_norm.weight', [embedding]),
      weights.matrix('cls.output.weight', embedding, 2),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  });
}

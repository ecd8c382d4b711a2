/**
 * Small models with random weights whose memories differ in kind: keys and values of all tokens, of a window, or a state
 * that holds all tokens up to its end.
 */
import type { GgufTensorInput, GgufValueInput } from '../../lib/gguf/write.js';
import { text, uint32 } from './gguf-values.js';
import { type RandomModel, RandomWeights } from './random-weights.js';

const layers = 2;
const embedding = 64;
const feedForward = 96;
const heads = 4;
const keyValueHeads = 2;
const headLength = embedding / heads;
const keyValue = headLength * keyValueHeads;

/** How many tokens back {@link gemmaModel} attends in its first layer. */
const gemmaWindow = 32;

const epsilon: GgufValueInput = { type: 'float32', value: 1e-5 };

/** A Mamba, whose memory is a state and no KV cache. */
export function mambaModel(seed?: number): RandomModel {
  const [inner, state, kernel, rank] = [128, 16, 4, 4];
  const hyperparameters: Record<string, GgufValueInput> = {
    'general.architecture': text('mamba'),
    'mamba.block_count': uint32(layers),
    'mamba.context_length': uint32(1024),
    'mamba.embedding_length': uint32(embedding),
    'mamba.feed_forward_length': uint32(0),
    'mamba.attention.head_count': uint32(0),
    'mamba.attention.layer_norm_rms_epsilon': epsilon,
    'mamba.ssm.conv_kernel': uint32(kernel),
    'mamba.ssm.inner_size': uint32(inner),
    'mamba.ssm.state_size': uint32(state),
    'mamba.ssm.time_step_rank': uint32(rank),
  };
  const weights = new RandomWeights(seed);
  const layer = (name: string) => [
    weights.around(1, `${name}.attn_norm.weight`, [embedding]),
    weights.matrix(`${name}.ssm_in.weight`, embedding, 2 * inner),
    weights.matrix(`${name}.ssm_conv1d.weight`, kernel, inner),
    weights.around(0, `${name}.ssm_conv1d.bias`, [inner]),
    weights.matrix(`${name}.ssm_x.weight`, inner, rank + 2 * state),
    weights.matrix(`${name}.ssm_dt.weight`, rank, inner),
    weights.around(0, `${name}.ssm_dt.bias`, [inner]),
    weights.around(-1, `${name}.ssm_a`, [state, inner]),
    weights.around(1, `${name}.ssm_d`, [inner]),
    weights.matrix(`${name}.ssm_out.weight`, inner, embedding),
  ];
  return {
    name: 'mamba',
    hyperparameters,
    tensorsFor: (vocabularySize) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      weights.around(1, 'output_norm.weight', [embedding]),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  };
}

/** Keys that models with attention have. */
function attentionKeys(architecture: string): Record<string, GgufValueInput> {
  return {
    'general.architecture': text(architecture),
    [`${architecture}.block_count`]: uint32(layers),
    [`${architecture}.context_length`]: uint32(4096),
    [`${architecture}.embedding_length`]: uint32(embedding),
    [`${architecture}.feed_forward_length`]: uint32(feedForward),
    [`${architecture}.attention.head_count`]: uint32(heads),
    [`${architecture}.attention.head_count_kv`]: uint32(keyValueHeads),
    [`${architecture}.attention.key_length`]: uint32(headLength),
    [`${architecture}.attention.value_length`]: uint32(headLength),
    [`${architecture}.attention.layer_norm_rms_epsilon`]: epsilon,
    [`${architecture}.rope.dimension_count`]: uint32(headLength),
  };
}

function attention(weights: RandomWeights, name: string): GgufTensorInput[] {
  return [
    weights.matrix(`${name}.attn_q.weight`, embedding, embedding),
    weights.matrix(`${name}.attn_k.weight`, embedding, keyValue),
    weights.matrix(`${name}.attn_v.weight`, embedding, keyValue),
    weights.matrix(`${name}.attn_output.weight`, embedding, embedding),
  ];
}

function feedForwardOf(weights: RandomWeights, name: string): GgufTensorInput[] {
  return [
    weights.matrix(`${name}.ffn_gate.weight`, embedding, feedForward),
    weights.matrix(`${name}.ffn_up.weight`, embedding, feedForward),
    weights.matrix(`${name}.ffn_down.weight`, feedForward, embedding),
  ];
}

function norms(weights: RandomWeights, name: string, ...parts: string[]): GgufTensorInput[] {
  return parts.map((part) => weights.around(1, `${name}.${part}.weight`, [embedding]));
}

/** A Llama, whose KV cache holds every token. */
export function llamaModel(seed?: number): RandomModel {
  const weights = new RandomWeights(seed);
  const layer = (name: string) => [
    ...norms(weights, name, 'attn_norm', 'ffn_norm'),
    ...attention(weights, name),
    ...feedForwardOf(weights, name),
  ];
  return {
    name: 'llama',
    hyperparameters: attentionKeys('llama'),
    tensorsFor: (vocabularySize) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      weights.around(1, 'output_norm.weight', [embedding]),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  };
}

/** A Gemma 2, every second layer of which attends to a sliding window. */
export function gemmaModel(seed?: number): RandomModel {
  const weights = new RandomWeights(seed);
  const layer = (name: string) => [
    ...norms(weights, name, 'attn_norm', 'post_attention_norm', 'ffn_norm', 'post_ffw_norm'),
    ...attention(weights, name),
    ...feedForwardOf(weights, name),
  ];
  const hyperparameters = {
    ...attentionKeys('gemma2'),
    'gemma2.attention.sliding_window': uint32(gemmaWindow),
  };
  return {
    name: 'gemma2',
    hyperparameters,
    tensorsFor: (vocabularySize) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      weights.around(1, 'output_norm.weight', [embedding]),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  };
}

/** An LFM2, a hybrid: a layer with a state of short convolutions, and one with attention. */
export function lfm2Model(seed?: number): RandomModel {
  const weights = new RandomWeights(seed);
  const kernel = 3;
  const convolution = (name: string) => [
    weights.matrix(`${name}.shortconv.conv.weight`, kernel, embedding),
    weights.matrix(`${name}.shortconv.in_proj.weight`, embedding, 3 * embedding),
    weights.matrix(`${name}.shortconv.out_proj.weight`, embedding, embedding),
  ];
  const attentionWithNorms = (name: string) => [
    ...['attn_q_norm', 'attn_k_norm'].map((part) =>
      weights.around(1, `${name}.${part}.weight`, [headLength]),
    ),
    ...attention(weights, name),
  ];
  const layer = (index: number) => [
    ...norms(weights, `blk.${index}`, 'attn_norm', 'ffn_norm'),
    ...(index === 0 ? convolution : attentionWithNorms)(`blk.${index}`),
    ...feedForwardOf(weights, `blk.${index}`),
  ];
  const hyperparameters: Record<string, GgufValueInput> = {
    ...attentionKeys('lfm2'),
    // Layers without KV heads are convolutions.
    'lfm2.attention.head_count_kv': { type: 'array', elementType: 'int32', value: [0, keyValueHeads] },
    'lfm2.shortconv.l_cache': uint32(kernel),
  };
  return {
    name: 'lfm2',
    hyperparameters,
    tensorsFor: (vocabularySize) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      weights.around(1, 'token_embd_norm.weight', [embedding]),
      ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    ],
  };
}

/** An RWKV 7, recurrent in another way than Mamba. */
export function rwkvModel(seed?: number): RandomModel {
  const weights = new RandomWeights(seed);
  const rank = 8;
  const vector = (center: number, name: string, ...dimensions: number[]) =>
    weights.around(center, name, [embedding, ...dimensions]);
  const normWithBias = (name: string) => [vector(1, `${name}.weight`), vector(0, `${name}.bias`)];
  const lowRank = (name: string) => [
    weights.matrix(`${name}1.weight`, embedding, rank),
    weights.matrix(`${name}2.weight`, rank, embedding),
  ];
  const timeMix = (name: string) => [
    ...['w', 'a', 'v'].flatMap((part) => [
      vector(0, `${name}_${part}0.weight`),
      ...lowRank(`${name}_${part}`),
    ]),
    ...lowRank(`${name}_g`),
    vector(0.5, `${name}_lerp_fused.weight`, 1, 1, 6),
    ...['k_k', 'k_a', 'r_k'].map((part) => vector(0.5, `${name}_${part}.weight`)),
    ...['key', 'value', 'receptance', 'output'].map((part) =>
      weights.matrix(`${name}_${part}.weight`, embedding, embedding),
    ),
    ...normWithBias(`${name}_ln`),
  ];
  const layer = (name: string) => [
    ...normWithBias(`${name}.attn_norm`),
    ...normWithBias(`${name}.attn_norm_2`),
    ...timeMix(`${name}.time_mix`),
    vector(0.5, `${name}.channel_mix_lerp_k.weight`, 1, 1),
    weights.matrix(`${name}.channel_mix_key.weight`, embedding, feedForward),
    weights.matrix(`${name}.channel_mix_value.weight`, feedForward, embedding),
  ];
  const hyperparameters: Record<string, GgufValueInput> = {
    'general.architecture': text('rwkv7'),
    'rwkv7.block_count': uint32(layers),
    'rwkv7.context_length': uint32(4096),
    'rwkv7.embedding_length': uint32(embedding),
    'rwkv7.feed_forward_length': uint32(feedForward),
    'rwkv7.attention.head_count': uint32(0),
    'rwkv7.attention.layer_norm_epsilon': epsilon,
    // What the kernel of the operation works on at once: with smaller heads it reads beyond them.
    'rwkv7.wkv.head_size': uint32(embedding),
    'rwkv7.token_shift_count': uint32(2),
    'rwkv7.attention.decay_lora_rank': uint32(rank),
    'rwkv7.attention.iclr_lora_rank': uint32(rank),
    'rwkv7.attention.value_residual_mix_lora_rank': uint32(rank),
    'rwkv7.attention.gate_lora_rank': uint32(rank),
  };
  return {
    name: 'rwkv7',
    hyperparameters,
    tensorsFor: (vocabularySize) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      ...normWithBias('token_embd_norm'),
      ...normWithBias('output_norm'),
      weights.matrix('output.weight', embedding, vocabularySize),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  };
}

/** A Qwen 3 with experts, some of which work on each token. */
export function expertsModel(seed?: number): RandomModel {
  const [experts, used, expertLength] = [4, 2, 32];
  const weights = new RandomWeights(seed);
  const layer = (name: string) => [
    ...norms(weights, name, 'attn_norm', 'ffn_norm'),
    ...['attn_q_norm', 'attn_k_norm'].map((part) =>
      weights.around(1, `${name}.${part}.weight`, [headLength]),
    ),
    ...attention(weights, name),
    weights.matrix(`${name}.ffn_gate_inp.weight`, embedding, experts),
    weights.around(0, `${name}.ffn_gate_exps.weight`, [embedding, expertLength, experts]),
    weights.around(0, `${name}.ffn_up_exps.weight`, [embedding, expertLength, experts]),
    weights.around(0, `${name}.ffn_down_exps.weight`, [expertLength, embedding, experts]),
  ];
  const hyperparameters = {
    ...attentionKeys('qwen3moe'),
    'qwen3moe.expert_count': uint32(experts),
    'qwen3moe.expert_used_count': uint32(used),
    'qwen3moe.expert_feed_forward_length': uint32(expertLength),
  };
  return {
    name: 'qwen3moe',
    hyperparameters,
    tensorsFor: (vocabularySize) => [
      weights.matrix('token_embd.weight', embedding, vocabularySize),
      weights.around(1, 'output_norm.weight', [embedding]),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  };
}

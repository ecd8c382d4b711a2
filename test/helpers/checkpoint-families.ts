import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Files,
  mergesTokenCount,
  mergesTokenizer,
  sentencePieceCount,
  sentencePieceJson,
  sentencePieceTokenizer,
  wordPieceCount,
  wordPieceTokenizer,
} from './checkpoint-tokenizers.js';
import { randomTensor } from './checkpoint-weights.js';
import { writeShards } from './safetensors.js';

/** A small checkpoint of a family: its layout is real, its weights are random. */
export interface SmallCheckpoint {
  /** Name of its folder; part of what a conversion writes. */
  readonly name: string;
  /** llama.cpp's name for the way its tokenizer cuts, which its converter would not know. */
  readonly preTokenizer?: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Files;
  readonly type: 'F32' | 'F16' | 'BF16';
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly shardCount?: number;
}

const width = 64;
const inner = 96;
const heads = 4;
const keyHeads = 2;
const headLength = 16;

const sizes = {
  hidden_size: width,
  intermediate_size: inner,
  num_hidden_layers: 2,
  num_attention_heads: heads,
  num_key_value_heads: keyHeads,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
};

interface DecoderOptions {
  readonly vocabulary: number;
  readonly head?: number;
  readonly tied?: boolean;
  readonly bias?: boolean;
  /** Norms in each layer, beside the first one. */
  readonly norms?: readonly string[];
  readonly headNorms?: boolean;
  readonly prefix?: string;
}

function decoderShapes(options: DecoderOptions): Record<string, number[]> {
  const { vocabulary, head = headLength, prefix = 'model.' } = options;
  const shapes: Record<string, number[]> = {
    [`${prefix}embed_tokens.weight`]: [vocabulary, width],
    [`${prefix}norm.weight`]: [width],
  };
  if (options.tied !== true) shapes['lm_head.weight'] = [vocabulary, width];
  for (let layer = 0; layer < 2; layer++) {
    const name = (part: string) => `${prefix}layers.${layer}.${part}`;
    shapes[name('self_attn.q_proj.weight')] = [heads * head, width];
    shapes[name('self_attn.k_proj.weight')] = [keyHeads * head, width];
    shapes[name('self_attn.v_proj.weight')] = [keyHeads * head, width];
    shapes[name('self_attn.o_proj.weight')] = [width, heads * head];
    shapes[name('mlp.gate_proj.weight')] = [inner, width];
    shapes[name('mlp.up_proj.weight')] = [inner, width];
    shapes[name('mlp.down_proj.weight')] = [width, inner];
    for (const norm of ['input_layernorm', ...(options.norms ?? ['post_attention_layernorm'])]) {
      shapes[name(`${norm}.weight`)] = [width];
    }
    if (options.headNorms) {
      shapes[name('self_attn.q_norm.weight')] = [head];
      shapes[name('self_attn.k_norm.weight')] = [head];
    }
    if (options.bias) {
      shapes[name('self_attn.q_proj.bias')] = [heads * head];
      shapes[name('self_attn.k_proj.bias')] = [keyHeads * head];
      shapes[name('self_attn.v_proj.bias')] = [keyHeads * head];
    }
  }
  return shapes;
}

function phi3Shapes(vocabulary: number): Record<string, number[]> {
  const shapes: Record<string, number[]> = {
    'model.embed_tokens.weight': [vocabulary, width],
    'model.norm.weight': [width],
    'lm_head.weight': [vocabulary, width],
  };
  for (let layer = 0; layer < 2; layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}.weight`;
    shapes[name('self_attn.qkv_proj')] = [(heads + 2 * keyHeads) * headLength, width];
    shapes[name('self_attn.o_proj')] = [width, width];
    shapes[name('mlp.gate_up_proj')] = [2 * inner, width];
    shapes[name('mlp.down_proj')] = [width, inner];
    shapes[name('input_layernorm')] = [width];
    shapes[name('post_attention_layernorm')] = [width];
  }
  return shapes;
}

function bertShapes(prefix: string): Record<string, number[]> {
  const shapes: Record<string, number[]> = {
    'embeddings.word_embeddings.weight': [wordPieceCount, width],
    'embeddings.position_embeddings.weight': [128, width],
    'embeddings.token_type_embeddings.weight': [2, width],
    'embeddings.LayerNorm.weight': [width],
    'embeddings.LayerNorm.bias': [width],
    'pooler.dense.weight': [width, width],
    'pooler.dense.bias': [width],
  };
  const layers = [
    'attention.self.query',
    'attention.self.key',
    'attention.self.value',
    'attention.output.dense',
  ];
  for (let layer = 0; layer < 2; layer++) {
    const add = (part: string, shape: number[]) => {
      shapes[`encoder.layer.${layer}.${part}.weight`] = shape;
      shapes[`encoder.layer.${layer}.${part}.bias`] = [shape[0] as number];
    };
    for (const part of layers) add(part, [width, width]);
    add('intermediate.dense', [inner, width]);
    add('output.dense', [width, inner]);
    add('attention.output.LayerNorm', [width]);
    add('output.LayerNorm', [width]);
  }
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [prefix + name, shape]));
}

const card = `---
license: apache-2.0
language:
- en
- zh
- "no"
tags: [chat, 'small model']
pipeline_tag: text-generation
base_model: Qwen/Qwen2.5-0.5B
datasets:
- HuggingFaceTB/smoltalk  # a comment
- https://huggingface.co/datasets/openai/gsm8k
model-index:
- name: results
  results:
  - task: text
---
# A model
`;

const gemmaNorms = ['post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm'];
const sentencePieceRoom = sentencePieceCount + 6;
const mergesRoom = mergesTokenCount + 4;

/** One of each family and feature. */
export const smallCheckpoints: readonly SmallCheckpoint[] = [
  {
    name: 'Llama-2-7b-chat-hf',
    config: {
      ...sizes,
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: sentencePieceRoom,
    },
    tokenizer: sentencePieceTokenizer(),
    type: 'F16',
    shapes: decoderShapes({ vocabulary: sentencePieceRoom }),
    shardCount: 3,
  },
  {
    name: 'llama-3.2-tiny',
    preTokenizer: 'llama-bpe',
    config: {
      ...sizes,
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: mergesTokenCount,
      rope_theta: 500000,
      rope_scaling: {
        rope_type: 'llama3',
        factor: 32,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 128,
      },
      bos_token_id: 268,
      eos_token_id: [269, 267],
      tie_word_embeddings: true,
      attention_bias: true,
    },
    tokenizer: {
      ...mergesTokenizer('llama-bpe', true),
      'generation_config.json': { temperature: 0.6, top_p: 0.9, top_k: 40, repetition_penalty: 1.05 },
    },
    type: 'BF16',
    shapes: decoderShapes({ vocabulary: mergesTokenCount, tied: true, bias: true }),
  },
  {
    name: 'linear',
    config: {
      ...sizes,
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: sentencePieceCount + 2,
      num_key_value_heads: heads,
      rope_scaling: { type: 'linear', factor: 4 },
    },
    tokenizer: sentencePieceJson(),
    type: 'F32',
    shapes: Object.fromEntries(
      Object.entries(decoderShapes({ vocabulary: sentencePieceCount + 2 })).map(([name, shape]) => [
        name,
        /[kv]_proj/.test(name) ? [heads * headLength, width] : shape,
      ]),
    ),
  },
  {
    name: 'Mistral-7B-v0.1',
    config: {
      ...sizes,
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      vocab_size: sentencePieceRoom,
      sliding_window: 128,
      head_dim: 32,
    },
    tokenizer: { ...sentencePieceTokenizer(), 'added_tokens.json': { '<extra>': sentencePieceRoom - 1 } },
    type: 'BF16',
    shapes: decoderShapes({ vocabulary: sentencePieceRoom, head: 32 }),
  },
  {
    name: 'SmolLM2-135M-Instruct',
    preTokenizer: 'smollm',
    config: {
      ...sizes,
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: mergesRoom,
      tie_word_embeddings: true,
      _name_or_path: 'HuggingFaceTB/SmolLM2-135M',
    },
    tokenizer: { ...mergesTokenizer('smollm'), 'README.md': card },
    type: 'BF16',
    shapes: decoderShapes({ vocabulary: mergesRoom, tied: true }),
  },
  {
    name: 'SmolLM3-3B',
    preTokenizer: 'llama-bpe',
    config: {
      ...sizes,
      architectures: ['SmolLM3ForCausalLM'],
      model_type: 'smollm3',
      vocab_size: mergesRoom,
      no_rope_layers: [1, 0],
      rope_theta: 5000000,
      pad_token_id: 267,
    },
    tokenizer: mergesTokenizer('llama-bpe'),
    type: 'BF16',
    shapes: decoderShapes({ vocabulary: mergesRoom, tied: true }),
  },
  {
    name: 'Qwen2.5-0.5B-Instruct',
    preTokenizer: 'qwen2',
    config: {
      ...sizes,
      architectures: ['Qwen2ForCausalLM'],
      model_type: 'qwen2',
      vocab_size: mergesRoom,
      rope_theta: 1000000.0,
      rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 128 },
      tie_word_embeddings: true,
    },
    tokenizer: mergesTokenizer('qwen2'),
    type: 'BF16',
    shapes: decoderShapes({ vocabulary: mergesRoom, tied: true, bias: true }),
    shardCount: 2,
  },
  {
    name: 'qwen3-tiny',
    preTokenizer: 'qwen2',
    config: {
      ...sizes,
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      vocab_size: mergesRoom,
      head_dim: 32,
      rope_theta: 1000000,
    },
    tokenizer: mergesTokenizer('qwen2'),
    type: 'BF16',
    shapes: decoderShapes({ vocabulary: mergesRoom, head: 32, headNorms: true }),
  },
  {
    name: 'qwen3-embedding-tiny',
    preTokenizer: 'qwen2',
    config: {
      ...sizes,
      architectures: ['Qwen3Model'],
      model_type: 'qwen3',
      vocab_size: mergesRoom,
      head_dim: 32,
      rope_theta: 1000000,
    },
    tokenizer: {
      ...mergesTokenizer('qwen2'),
      'modules.json': [
        { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      ],
      '1_Pooling/config.json': { pooling_mode_lasttoken: true, pooling_mode_mean_tokens: false },
    },
    type: 'F32',
    shapes: decoderShapes({ vocabulary: mergesRoom, head: 32, headNorms: true, tied: true, prefix: '' }),
  },
  {
    name: 'gemma-2-2b-it',
    config: {
      ...sizes,
      architectures: ['Gemma2ForCausalLM'],
      model_type: 'gemma2',
      vocab_size: sentencePieceRoom,
      head_dim: headLength,
      sliding_window: 64,
      attn_logit_softcapping: 50.0,
      final_logit_softcapping: 30.0,
    },
    tokenizer: sentencePieceTokenizer(),
    type: 'F16',
    shapes: decoderShapes({ vocabulary: sentencePieceRoom, tied: true, norms: gemmaNorms }),
  },
  {
    name: 'gemma-3-1b-it',
    config: {
      ...sizes,
      architectures: ['Gemma3ForCausalLM'],
      model_type: 'gemma3_text',
      vocab_size: sentencePieceRoom,
      head_dim: headLength,
      sliding_window: 64,
      rope_theta: 1000000,
      rope_local_base_freq: 10000,
      rope_scaling: { rope_type: 'linear', factor: 8 },
    },
    tokenizer: sentencePieceTokenizer(),
    type: 'BF16',
    shapes: decoderShapes({
      vocabulary: sentencePieceRoom + 3,
      tied: true,
      norms: gemmaNorms,
      headNorms: true,
    }),
  },
  {
    name: 'phi-3-tiny',
    config: {
      ...sizes,
      architectures: ['Phi3ForCausalLM'],
      model_type: 'phi3',
      vocab_size: sentencePieceRoom,
      max_position_embeddings: 4096,
      original_max_position_embeddings: 128,
      sliding_window: 64,
      bos_token_id: 1,
      eos_token_id: 2,
      pad_token_id: 2,
      rope_scaling: {
        type: 'longrope',
        long_factor: Array.from({ length: 8 }, (_, index) => 1 + index / 3),
        short_factor: Array.from({ length: 8 }, (_, index) => 1 + index / 7),
      },
    },
    tokenizer: sentencePieceTokenizer(),
    type: 'BF16',
    shapes: phi3Shapes(sentencePieceRoom),
  },
  {
    name: 'phi-4-mini',
    preTokenizer: 'gpt-2',
    config: {
      ...sizes,
      architectures: ['Phi3ForCausalLM'],
      model_type: 'phi3',
      vocab_size: mergesRoom,
      bos_token_id: 268,
      eos_token_id: 269,
      pad_token_id: 267,
      partial_rotary_factor: 0.75,
    },
    tokenizer: {
      ...mergesTokenizer('gpt-2'),
      'tokenizer_config.json': {
        ...(mergesTokenizer('gpt-2')['tokenizer_config.json'] as object),
        tokenizer_class: 'GPT2Tokenizer',
      },
    },
    type: 'F16',
    shapes: phi3Shapes(mergesRoom),
  },
  {
    name: 'all-MiniLM-L6-v2',
    preTokenizer: 'default',
    config: {
      architectures: ['BertModel'],
      model_type: 'bert',
      vocab_size: wordPieceCount,
      hidden_size: width,
      intermediate_size: inner,
      num_hidden_layers: 2,
      num_attention_heads: heads,
      max_position_embeddings: 128,
      type_vocab_size: 2,
      layer_norm_eps: 1e-12,
    },
    tokenizer: {
      ...wordPieceTokenizer(),
      'modules.json': [
        { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      ],
      '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
    },
    type: 'F32',
    shapes: bertShapes(''),
  },
];

/** Writes a small checkpoint to a folder of its name. */
export async function writeSmallCheckpoint(parent: string, checkpoint: SmallCheckpoint): Promise<string> {
  const folder = join(parent, checkpoint.name);
  const tensors = Object.entries(checkpoint.shapes).map(([name, shape]) =>
    randomTensor(name, shape, checkpoint.type),
  );
  await writeShards(folder, tensors, checkpoint.shardCount);
  const files: Files = { 'config.json': checkpoint.config, ...checkpoint.tokenizer };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    const isText = typeof content === 'string' || content instanceof Uint8Array;
    await writeFile(join(folder, name), isText ? content : JSON.stringify(content));
  }
  return folder;
}

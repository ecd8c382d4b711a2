/**
 * A language model of a few hundred kilobytes with random weights in F32: it loads in milliseconds and makes thousands
 * of tokens a second. Its text means nothing, but every token depends on all tokens before it and on their positions.
 */
import { writeGguf } from '../../lib/gguf/index.js';
import type { GgufTensorInput, GgufValueInput } from '../../lib/gguf/write.js';
import { byteCharacters } from '../../scripts/bench/vocabulary.mjs';
import { Random } from './gguf-random.js';

const sizes = { layers: 1, embedding: 64, heads: 2, feedForward: 128, context: 4096 } as const;

const controlTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;

/** Token ids 32 to 126 are the printable characters of ASCII; a token is a byte, and these are texts by themselves. */
export const firstPrintable = 32;
export const printableCount = 95;

const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

function text(value: string): GgufValueInput {
  return { type: 'string', value };
}

function integer(value: number): GgufValueInput {
  return { type: 'uint32', value };
}

/** One token for each byte, and the control tokens of ChatML. */
export function byteVocabulary(): Record<string, GgufValueInput> {
  const tokens = [...byteCharacters(), ...controlTokens];
  const types = tokens.map((_, id) => (id < 256 ? 1 : 3)); // LLAMA_TOKEN_TYPE_NORMAL, _CONTROL
  return {
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text('qwen2'),
    'tokenizer.ggml.tokens': { type: 'array', elementType: 'string', value: tokens },
    'tokenizer.ggml.token_type': { type: 'array', elementType: 'int32', value: types },
    // One is wanted; this pair of bytes occurs in no text.
    'tokenizer.ggml.merges': { type: 'array', elementType: 'string', value: ['ÿ ÿ'] },
    'tokenizer.ggml.eos_token_id': integer(256 + 2),
    'tokenizer.ggml.bos_token_id': integer(256),
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
    'tokenizer.chat_template': text(chatTemplate),
  };
}

function hyperparameters(): Record<string, GgufValueInput> {
  return {
    'general.architecture': text('llama'),
    'general.name': text('tiny generator'),
    'llama.block_count': integer(sizes.layers),
    'llama.context_length': integer(sizes.context),
    'llama.embedding_length': integer(sizes.embedding),
    'llama.feed_forward_length': integer(sizes.feedForward),
    'llama.attention.head_count': integer(sizes.heads),
    'llama.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-5 },
  };
}

class Weights {
  readonly #random = new Random(20_261_123);
  readonly #otherRandom = new Random(7);

  constructor(private readonly difference: number) {}

  /** A matrix whose outputs have the given deviation for inputs of deviation 1. */
  matrix(name: string, columns: number, rows: number, deviation: number): GgufTensorInput {
    return this.#tensor(name, [columns, rows], () => (this.#normal() * deviation) / Math.sqrt(columns));
  }

  norm(name: string): GgufTensorInput {
    return this.#tensor(name, [sizes.embedding], () => 1);
  }

  /** Logits that stand apart, and that never ask for a byte which is no character by itself. */
  output(tokens: number): GgufTensorInput {
    const { embedding } = sizes;
    const isWanted = (token: number) =>
      (token >= firstPrintable && token < firstPrintable + printableCount) || token === 256 + 2;
    let index = 0;
    const next = () => {
      const token = Math.floor(index++ / embedding);
      if (!isWanted(token)) return 0;
      const other = this.difference * this.#normal(this.#otherRandom);
      return ((this.#normal() + other) * 4) / Math.sqrt(embedding);
    };
    return this.#tensor('output.weight', [embedding, tokens], next);
  }

  /** Close to normally distributed: the sum of three uniform numbers, scaled to deviation 1. */
  #normal(random = this.#random): number {
    return (random.next() + random.next() + random.next() - 1.5) * 2;
  }

  #tensor(name: string, dimensions: number[], next: () => number): GgufTensorInput {
    const count = dimensions.reduce((product, dimension) => product * dimension, 1);
    const values = Float32Array.from({ length: count }, next);
    return { name, dimensions, type: 'F32', data: () => new Uint8Array(values.buffer) };
  }
}

/**
 * Writes the model. Equal files, whenever it is called.
 * @param difference makes a relative of the model: the deviation of what is added to its output weights, theirs being 1.
 */
export async function writeTinyGenerator(path: string, difference = 0): Promise<void> {
  const { layers, embedding, feedForward } = sizes;
  const tokens = 256 + controlTokens.length;
  const weights = new Weights(difference);
  const layer = (name: string) => [
    weights.norm(`${name}.attn_norm.weight`),
    // Large queries and keys: each token then looks at few others, and one that is missing changes the outcome.
    weights.matrix(`${name}.attn_q.weight`, embedding, embedding, 1.5),
    weights.matrix(`${name}.attn_k.weight`, embedding, embedding, 1.5),
    weights.matrix(`${name}.attn_v.weight`, embedding, embedding, 1),
    weights.matrix(`${name}.attn_output.weight`, embedding, embedding, 2),
    weights.norm(`${name}.ffn_norm.weight`),
    weights.matrix(`${name}.ffn_gate.weight`, embedding, feedForward, 1),
    weights.matrix(`${name}.ffn_up.weight`, embedding, feedForward, 1),
    weights.matrix(`${name}.ffn_down.weight`, feedForward, embedding, 1),
  ];
  await writeGguf(path, {
    metadata: { ...hyperparameters(), ...byteVocabulary() },
    tensors: [
      weights.matrix('token_embd.weight', embedding, tokens, Math.sqrt(embedding)),
      weights.norm('output_norm.weight'),
      weights.output(tokens),
      ...Array.from({ length: layers }, (_, index) => layer(`blk.${index}`)).flat(),
    ],
  });
}

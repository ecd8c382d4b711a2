// Checkpoints of Hugging Face to convert: the weights of SmolLM2 in BF16, and random ones of a gigabyte in the same
// architecture. Only the speed of their conversion is measured, so the rows of a head stay in the order of llama.cpp.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Goes into the folder's name, so that a change of what is written makes a new one. */
const revision = 1;

/** A Llama of 1 GB in BF16; its vocabulary is that of SmolLM2. */
const large = { hidden: 2048, feedForward: 5632, layers: 9, heads: 32, keyValueHeads: 4 };

const bytesPerNumber = 2;
const blockNumbers = 1 << 20;

const partNames = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

function nameOf(name) {
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  if (part !== undefined) return `model.layers.${layer}.${partNames[part]}.weight`;
  return { 'token_embd.weight': 'model.embed_tokens.weight', 'output_norm.weight': 'model.norm.weight' }[
    name
  ];
}

/** Tensors of a GGUF file, each with a function that reads it in BF16. */
async function tensorsOfModel(header, file) {
  const { convertTensorRows } = await import('../../../dist/convert/tensors/convert-rows.js');
  return header.tensors.map(({ name, type, dimensions, offset, byteSize }) => ({
    name: nameOf(name),
    shape: [...dimensions].reverse(),
    async *data() {
      const bytes = Buffer.alloc(byteSize);
      await file.read(bytes, 0, byteSize, header.dataOffset + offset);
      yield await convertTensorRows(type, 'BF16', bytes, dimensions[0]);
    },
  }));
}

/** Numbers between -1/16 and 1/16 that are the same everywhere: one block of them, over and over. */
function randomBlock() {
  const words = new Uint32Array(blockNumbers);
  for (let index = 0, state = 1; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes
    words[index] = state;
  }
  const floats = Float32Array.from(words, (word) => (word / 2 ** 32 - 0.5) / 8);
  const bits = new Uint32Array(floats.buffer);
  return Buffer.from(Uint16Array.from(bits, (word) => word >>> 16).buffer);
}

function randomTensors(vocabulary) {
  const block = randomBlock();
  const { hidden, feedForward, layers, heads, keyValueHeads } = large;
  const keyValue = (hidden / heads) * keyValueHeads;
  const tensor = (name, ...shape) => ({
    name,
    shape,
    *data() {
      let rest = bytesPerNumber * shape.reduce((product, size) => product * size, 1);
      for (; rest > 0; rest -= block.length) yield block.subarray(0, Math.min(rest, block.length));
    },
  });
  const layer = (index) => {
    const part = (name, ...shape) => tensor(`model.layers.${index}.${partNames[name]}.weight`, ...shape);
    return [
      part('attn_norm', hidden),
      part('attn_q', hidden, hidden),
      part('attn_k', keyValue, hidden),
      part('attn_v', keyValue, hidden),
      part('attn_output', hidden, hidden),
      part('ffn_norm', hidden),
      part('ffn_gate', feedForward, hidden),
      part('ffn_up', feedForward, hidden),
      part('ffn_down', hidden, feedForward),
    ];
  };
  return [
    tensor('model.embed_tokens.weight', vocabulary, hidden),
    tensor('model.norm.weight', hidden),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
  ];
}

function sizeOf({ shape }) {
  return bytesPerNumber * shape.reduce((product, size) => product * size, 1);
}

async function writeSafetensors(path, tensors) {
  const header = {};
  let end = 0;
  for (const tensor of tensors) {
    const begin = end;
    end += sizeOf(tensor);
    header[tensor.name] = { dtype: 'BF16', shape: tensor.shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = await open(path, 'wx');
  try {
    await file.writeFile(Buffer.concat([length, text]));
    for (const { data } of tensors) for await (const piece of data()) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

function metadataValue(header, key) {
  return header.metadata.get(key)?.value;
}

function configOf(header, shape) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: metadataValue(header, 'llama.vocab_size'),
    hidden_size: shape.hidden,
    intermediate_size: shape.feedForward,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyValueHeads,
    max_position_embeddings: metadataValue(header, 'llama.context_length'),
    rms_norm_eps: metadataValue(header, 'llama.attention.layer_norm_rms_epsilon'),
    rope_theta: metadataValue(header, 'llama.rope.freq_base'),
    bos_token_id: metadataValue(header, 'tokenizer.ggml.bos_token_id'),
    eos_token_id: metadataValue(header, 'tokenizer.ggml.eos_token_id'),
    tie_word_embeddings: true,
  };
}

function tokenizerOf(header) {
  const tokens = [...metadataValue(header, 'tokenizer.ggml.tokens')];
  const types = metadataValue(header, 'tokenizer.ggml.token_type');
  const controlType = 3; // LLAMA_TOKEN_TYPE_CONTROL
  const preTokenizers = [
    { type: 'Digits', individual_digits: true },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  ];
  return {
    added_tokens: tokens.flatMap((content, id) =>
      types[id] === controlType ? [{ id, content, special: true, normalized: false }] : [],
    ),
    pre_tokenizer: { type: 'Sequence', pretokenizers: preTokenizers },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [...metadataValue(header, 'tokenizer.ggml.merges')],
    },
  };
}

async function writeCheckpoint(folder, { header, shape, tensors }) {
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  await writeFile(join(unfinished, 'config.json'), JSON.stringify(configOf(header, shape)));
  await writeFile(join(unfinished, 'tokenizer.json'), JSON.stringify(tokenizerOf(header)));
  await writeSafetensors(join(unfinished, 'model.safetensors'), tensors);
  rmSync(folder, { recursive: true, force: true });
  renameSync(unfinished, folder); // whoever finds it finds all of it
}

function shapeOf(header) {
  const value = (key) => metadataValue(header, `llama.${key}`);
  return {
    hidden: value('embedding_length'),
    feedForward: value('feed_forward_length'),
    layers: value('block_count'),
    heads: value('attention.head_count'),
    keyValueHeads: value('attention.head_count_kv'),
  };
}

/** A checkpoint, and what a conversion of it may take at most. */
async function ensure(name, { directory, model }) {
  const { readGgufHeader } = await import('../../../dist/index.js');
  const header = await readGgufHeader(model);
  const isLarge = name === 'large';
  const shape = isLarge ? large : shapeOf(header);
  const file = await open(model);
  try {
    const tensors = isLarge
      ? randomTensors(metadataValue(header, 'llama.vocab_size'))
      : await tensorsOfModel(header, file);
    const folder = join(directory, `checkpoint-${name}-v${revision}`);
    if (!existsSync(folder)) await writeCheckpoint(folder, { header, shape, tensors });
    return { folder, largestTensorBytes: Math.max(...tensors.map(sizeOf)) };
  } finally {
    await file.close();
  }
}

/**
 * A checkpoint in the directory, written first where it is not there.
 *
 * @param {'smollm2' | 'large'} name
 * @param {{ directory: string, model: string }} options `model`: path of SmolLM2 as GGUF
 */
export function ensureCheckpoint(name, options) {
  return ensure(name, options);
}

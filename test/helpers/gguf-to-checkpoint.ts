import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { convertTensorRows } from '../../lib/convert/tensors/convert-rows.js';
import {
  type GgufHeader,
  GgufStringArray,
  type GgufTensorInfo,
  readGgufHeader,
  writeGguf,
} from '../../lib/index.js';
import { type TensorToWrite, writeShards } from './safetensors.js';

const names: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
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

/** A model in both forms, with the numbers of its tensors. */
export interface BothForms {
  /** Path of a GGUF file in F32. */
  readonly gguf: string;
  readonly checkpoint: string;
  readonly floats: ReadonlyMap<string, Uint8Array>;
  /** Those of the checkpoint. */
  readonly tensors: readonly TensorToWrite[];
  /** Its other files, by name. */
  readonly files: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Writes the first layers of a Llama model to a folder in F32: as a GGUF file, and as a checkpoint of Hugging Face. */
export async function writeBothForms(path: string, folder: string, layerCount: number): Promise<BothForms> {
  const header = firstLayers(await readGgufHeader(path), layerCount);
  const checkpoint = join(folder, 'checkpoint');
  const gguf = join(folder, 'original.gguf');
  await mkdir(checkpoint, { recursive: true });
  const floats = await readAsFloats(header);
  await writeGguf(gguf, {
    metadata: header.metadata,
    tensors: header.tensors.map(({ name, dimensions }) => ({
      name,
      dimensions,
      type: 'F32',
      data: () => floats.get(name) as Uint8Array,
    })),
  });
  const tensors = header.tensors.map((tensor) => toCheckpoint(header, tensor, floats));
  const files = { 'config.json': configOf(header), 'tokenizer.json': tokenizerOf(header) };
  await writeShards(checkpoint, tensors, 2);
  for (const [name, content] of Object.entries(files))
    await writeFile(join(checkpoint, name), JSON.stringify(content));
  return { gguf, checkpoint, floats, tensors, files };
}

function firstLayers(header: GgufHeader, layerCount: number): GgufHeader {
  const isKept = ({ name }: GgufTensorInfo) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0) < layerCount;
  return {
    ...header,
    tensors: header.tensors.filter(isKept),
    metadata: new Map(header.metadata).set('llama.block_count', { type: 'uint32', value: layerCount }),
  };
}

async function readAsFloats(header: GgufHeader): Promise<Map<string, Uint8Array>> {
  const file = await open(header.path);
  const floats = new Map<string, Uint8Array>();
  for (const { name, type, dimensions, offset, byteSize } of header.tensors) {
    const bytes = Buffer.alloc(byteSize);
    await file.read(bytes, 0, byteSize, header.dataOffset + offset);
    floats.set(name, await convertTensorRows(type, 'F32', bytes, dimensions[0] as number));
  }
  await file.close();
  return floats;
}

function toCheckpoint(
  header: GgufHeader,
  { name, dimensions }: { name: string; dimensions: readonly number[] },
  floats: ReadonlyMap<string, Uint8Array>,
): TensorToWrite {
  const [, layer, part] = /^(?:blk\.(\d+)\.)?(\w+)\.weight$/.exec(name) ?? [];
  const prefix = layer === undefined ? '' : `model.layers.${layer}.`;
  const heads = { attn_q: count(header, 'head_count'), attn_k: count(header, 'head_count_kv') }[
    part as 'attn_q'
  ];
  const bytes = floats.get(name) as Uint8Array;
  return {
    name: `${prefix}${names[part as string]}.weight`,
    type: 'F32',
    shape: [...dimensions].reverse(),
    bytes: heads === undefined ? bytes : halveHeads(bytes, heads, (dimensions[0] as number) * 4),
  };
}

/** The rows of a head in the order of Transformers: first those with even numbers, then those with odd ones. */
function halveHeads(bytes: Uint8Array, heads: number, rowBytes: number): Uint8Array {
  const result = new Uint8Array(bytes.byteLength);
  const headRows = bytes.byteLength / rowBytes / heads;
  for (let row = 0; row < bytes.byteLength / rowBytes; row++) {
    const within = row % headRows;
    const target = row - within + (within % 2) * (headRows / 2) + Math.floor(within / 2);
    result.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), target * rowBytes);
  }
  return result;
}

function count(header: GgufHeader, key: string): number {
  return Number(header.metadata.get(`llama.attention.${key}`)?.value);
}

function configOf(header: GgufHeader): Record<string, unknown> {
  const value = (key: string) => header.metadata.get(key)?.value;
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: value('llama.vocab_size'),
    hidden_size: value('llama.embedding_length'),
    intermediate_size: value('llama.feed_forward_length'),
    num_hidden_layers: value('llama.block_count'),
    num_attention_heads: count(header, 'head_count'),
    num_key_value_heads: count(header, 'head_count_kv'),
    max_position_embeddings: value('llama.context_length'),
    rms_norm_eps: value('llama.attention.layer_norm_rms_epsilon'),
    rope_theta: value('llama.rope.freq_base'),
    bos_token_id: value('tokenizer.ggml.bos_token_id'),
    eos_token_id: value('tokenizer.ggml.eos_token_id'),
    tie_word_embeddings: true,
  };
}

function texts(header: GgufHeader, key: string): string[] {
  const value = header.metadata.get(`tokenizer.ggml.${key}`)?.value;
  return value instanceof GgufStringArray ? [...value] : [];
}

function tokenizerOf(header: GgufHeader): Record<string, unknown> {
  const tokens = texts(header, 'tokens');
  const types = header.metadata.get('tokenizer.ggml.token_type')?.value as Int32Array;
  return {
    added_tokens: tokens.flatMap((content, id) =>
      types[id] === 3 ? [{ id, content, special: true, normalized: false }] : [],
    ),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: texts(header, 'merges'),
    },
  };
}

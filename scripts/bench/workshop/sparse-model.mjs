// A GGUF file with the metadata and tensors of a 4.3 GB model, whose weights are a hole: it takes a few megabytes of
// disk, and whoever reads only metadata does not notice.
import { existsSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVocabulary, vocabularyMetadata } from '../vocabulary.mjs';

/** Goes into the file's name, so that a change of what is written makes a new file. */
const revision = 1;

/** Qwen2.5-7B: tokens with padding, and the merges that its tokenizer has. */
const vocabularySize = 152_064;
const mergeCount = 151_387;

/** Layers of 11 matrices; the matrices together make the size. */
const layers = 28;
const [embedding, keyValue, feedForward] = [3584, 512, 18_944];

const text = (value) => ({ type: 'string', value });
const count = (value) => ({ type: 'uint32', value });

/** As many merges as the real vocabulary has: each splits a token somewhere. */
function merges() {
  const { tokens } = createVocabulary(vocabularySize);
  const words = tokens.filter((token) => token.length > 1);
  return Array.from({ length: mergeCount }, (_, index) => {
    const word = words[index % words.length];
    const place = 1 + (Math.floor(index / words.length) % (word.length - 1));
    return `${word.slice(0, place)} ${word.slice(place)}`;
  });
}

function metadata() {
  return {
    'general.architecture': text('qwen2'),
    'general.name': text('metadata of a model of 7 billion weights'),
    'general.size_label': text('7B'),
    'general.file_type': count(2),
    'qwen2.block_count': count(layers),
    'qwen2.context_length': count(32_768),
    'qwen2.embedding_length': count(embedding),
    'qwen2.feed_forward_length': count(feedForward),
    'qwen2.attention.head_count': count(28),
    'qwen2.attention.head_count_kv': count(4),
    'qwen2.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-6 },
    'qwen2.rope.freq_base': { type: 'float32', value: 1_000_000 },
    ...vocabularyMetadata(vocabularySize),
    'tokenizer.ggml.merges': { type: 'array', elementType: 'string', value: merges() },
  };
}

function tensors() {
  const tensor = (name, type, ...dimensions) => ({ name, type, dimensions });
  const layer = (index) => [
    tensor(`blk.${index}.attn_norm.weight`, 'F32', embedding),
    tensor(`blk.${index}.attn_q.weight`, 'Q4_0', embedding, embedding),
    tensor(`blk.${index}.attn_q.bias`, 'F32', embedding),
    tensor(`blk.${index}.attn_k.weight`, 'Q4_0', embedding, keyValue),
    tensor(`blk.${index}.attn_k.bias`, 'F32', keyValue),
    tensor(`blk.${index}.attn_v.weight`, 'Q4_0', embedding, keyValue),
    tensor(`blk.${index}.attn_v.bias`, 'F32', keyValue),
    tensor(`blk.${index}.attn_output.weight`, 'Q4_0', embedding, embedding),
    tensor(`blk.${index}.ffn_norm.weight`, 'F32', embedding),
    tensor(`blk.${index}.ffn_gate.weight`, 'Q4_0', embedding, feedForward),
    tensor(`blk.${index}.ffn_up.weight`, 'Q4_0', embedding, feedForward),
    tensor(`blk.${index}.ffn_down.weight`, 'Q4_0', feedForward, embedding),
  ];
  return [
    tensor('token_embd.weight', 'Q4_0', embedding, vocabularySize),
    tensor('output_norm.weight', 'F32', embedding),
    tensor('output.weight', 'Q6_K', embedding, vocabularySize),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
  ];
}

/** The path of that file, written first where it is not in the directory. */
export async function ensureSparseModel(directory) {
  const path = join(directory, `sparse-7b-v${revision}.gguf`);
  if (existsSync(path)) return path;
  const { encodeGgufHeader } = await import('../../../dist/gguf/encode-header.js');
  const { placeTensors } = await import('../../../dist/gguf/write.js');
  const alignment = 32;
  const placed = placeTensors(tensors(), alignment);
  const header = encodeGgufHeader(new Map(Object.entries(metadata())), placed);
  const { offset, byteSize } = placed.at(-1);
  const unfinished = `${path}.${process.pid}`;
  mkdirSync(directory, { recursive: true });
  writeFileSync(unfinished, header);
  truncateSync(unfinished, Math.ceil(header.length / alignment) * alignment + offset + byteSize);
  renameSync(unfinished, path); // whoever finds it finds all of it
  return path;
}

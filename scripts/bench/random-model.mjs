// Qwen2-shaped models with random weights: as fast and as large as the real ones, made in a second on any machine.
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { constantData, quantizedNoise, uniformData } from './quantized-noise.mjs';
import { vocabularyMetadata } from './vocabulary.mjs';

/** `LLAMA_FTYPE_*` in llama.h. */
const fileTypes = { Q4_0: 2, Q8_0: 7 };

/** Goes into the file's name, so that a change of what is written makes a new file. */
const revision = 1;

const vocabularySize = 151_936;

/**
 * The models of the benchmarks. Embeddings are Q8_0 in both, as llama-quantize leaves them where input and output
 * share them and the row length is no multiple of 256.
 */
export const randomModels = {
  '0.5b': {
    name: 'random weights in the shape of Qwen2.5-0.5B',
    type: 'Q4_0',
    layers: 24,
    embedding: 896,
    heads: 14,
    keyValueHeads: 2,
    feedForward: 4864,
    vocabulary: vocabularySize,
  },
  '41m': {
    name: 'random weights, 41M, in the shape of Qwen2',
    type: 'Q8_0',
    layers: 4,
    embedding: 256,
    heads: 4,
    keyValueHeads: 2,
    feedForward: 512,
    vocabulary: vocabularySize,
  },
};

function integer(value) {
  return { type: 'uint32', value };
}

function shapeMetadata(shape) {
  return {
    'general.architecture': { type: 'string', value: 'qwen2' },
    'general.name': { type: 'string', value: shape.name },
    'general.file_type': integer(fileTypes[shape.type]),
    'qwen2.block_count': integer(shape.layers),
    'qwen2.context_length': integer(32_768),
    'qwen2.embedding_length': integer(shape.embedding),
    'qwen2.feed_forward_length': integer(shape.feedForward),
    'qwen2.attention.head_count': integer(shape.heads),
    'qwen2.attention.head_count_kv': integer(shape.keyValueHeads),
    'qwen2.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-6 },
    'qwen2.rope.freq_base': { type: 'float32', value: 1_000_000 },
  };
}

/** A weight matrix that keeps the size of what goes through it: deviations of 1 / √(inputs). */
function matrix(name, inputs, outputs, type, seed) {
  const deviation = 1 / Math.sqrt(inputs);
  const data = () => quantizedNoise({ type, elements: inputs * outputs, deviation, seed: `${seed}/${name}` });
  return { name, dimensions: [inputs, outputs], type, data };
}

function norm(name, length) {
  return { name, dimensions: [length], type: 'F32', data: () => constantData(length, 1) };
}

function bias(name, length, seed) {
  const data = () => uniformData(length, 0.1, `${seed}/${name}`);
  return { name, dimensions: [length], type: 'F32', data };
}

function layerTensors(shape, index, seed) {
  const { embedding, feedForward, type } = shape;
  const keyValue = (embedding / shape.heads) * shape.keyValueHeads;
  const name = (part) => `blk.${index}.${part}`;
  return [
    norm(name('attn_norm.weight'), embedding),
    matrix(name('attn_q.weight'), embedding, embedding, type, seed),
    bias(name('attn_q.bias'), embedding, seed),
    matrix(name('attn_k.weight'), embedding, keyValue, type, seed),
    bias(name('attn_k.bias'), keyValue, seed),
    matrix(name('attn_v.weight'), embedding, keyValue, type, seed),
    bias(name('attn_v.bias'), keyValue, seed),
    matrix(name('attn_output.weight'), embedding, embedding, type, seed),
    norm(name('ffn_norm.weight'), embedding),
    matrix(name('ffn_gate.weight'), embedding, feedForward, type, seed),
    matrix(name('ffn_up.weight'), embedding, feedForward, type, seed),
    matrix(name('ffn_down.weight'), feedForward, embedding, type, seed),
  ];
}

/** What goes into the file of a random model; the same for the same shape and seed. */
export function randomModelContent(shape, seed) {
  const tensors = [
    matrix('token_embd.weight', shape.embedding, shape.vocabulary, 'Q8_0', seed),
    norm('output_norm.weight', shape.embedding),
    ...Array.from({ length: shape.layers }, (_, index) => layerTensors(shape, index, seed)).flat(),
  ];
  return { metadata: { ...shapeMetadata(shape), ...vocabularyMetadata(shape.vocabulary) }, tensors };
}

/** Weights of a model of this shape. */
export function parameterCount(shape) {
  const sizes = randomModelContent(shape, 'size').tensors.map(({ dimensions }) =>
    dimensions.reduce((product, dimension) => product * dimension, 1),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * The path of a random model, written first where it is not in the directory.
 *
 * @param {'0.5b' | '41m'} name
 * @param {{ directory: string, seed: number, writeGguf: Function }} options `writeGguf`: the library's.
 */
export async function ensureRandomModel(name, { directory, seed, writeGguf }) {
  const shape = randomModels[name];
  const path = join(directory, `random-${name}-${shape.type}-seed${seed}-v${revision}.gguf`);
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  await writeGguf(unfinished, randomModelContent(shape, `${name}/${seed}`), { overwrite: true });
  renameSync(unfinished, path); // whoever finds it finds all of it
  return path;
}

/** Models and importance matrices for quantization: rows of 256 weights, which every type has blocks for. */
import { writeFile } from 'node:fs/promises';
import { type GgufTensorInput, type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import { Random } from './gguf-random.js';
import { text, uint32 } from './gguf-values.js';
import { RandomWeights } from './random-weights.js';

/** Rows of every matrix; also the number of tokens. */
export const width = 256;
const keyValueWidth = 128;
const epsilon: GgufValueInput = { type: 'float32', value: 1e-5 };

/** Metadata of a Llama of so many layers, without a vocabulary. */
export function quantizableMetadata(layers: number): Record<string, GgufValueInput> {
  return {
    'general.architecture': text('llama'),
    'general.name': text('随机'),
    'general.file_type': uint32(0),
    'llama.block_count': uint32(layers),
    'llama.context_length': uint32(128),
    'llama.embedding_length': uint32(width),
    'llama.feed_forward_length': uint32(width),
    'llama.attention.head_count': uint32(4),
    'llama.attention.head_count_kv': uint32(2),
    'llama.attention.layer_norm_rms_epsilon': epsilon,
    'llama.rope.dimension_count': uint32(64),
    'llama.vocab_size': uint32(width),
    'tokenizer.ggml.model': text('no_vocab'),
  };
}

/** Its tensors, of type F32. With fewer rows than the metadata says it is still quantized, but cannot be loaded. */
export function quantizableTensors(layers: number, rows = width, seed = 3): GgufTensorInput[] {
  const weights = new RandomWeights(seed);
  const layer = (index: number) => [
    weights.around(1, `blk.${index}.attn_norm.weight`, [width]),
    weights.matrix(`blk.${index}.attn_q.weight`, width, rows),
    weights.matrix(`blk.${index}.attn_k.weight`, width, Math.min(rows, keyValueWidth)),
    weights.matrix(`blk.${index}.attn_v.weight`, width, Math.min(rows, keyValueWidth)),
    weights.matrix(`blk.${index}.attn_output.weight`, width, rows),
    weights.around(1, `blk.${index}.ffn_norm.weight`, [width]),
    weights.matrix(`blk.${index}.ffn_gate.weight`, width, rows),
    weights.matrix(`blk.${index}.ffn_up.weight`, width, rows),
    weights.matrix(`blk.${index}.ffn_down.weight`, width, rows),
  ];
  return [
    weights.matrix('token_embd.weight', width, width),
    weights.around(1, 'output_norm.weight', [width]),
    weights.matrix('output.weight', width, width),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
  ];
}

/** Writes the model, by default of two layers. */
export async function writeQuantizableModel(path: string, layers = 2, rows = width): Promise<string> {
  await writeGguf(path, { metadata: quantizableMetadata(layers), tensors: quantizableTensors(layers, rows) });
  return path;
}

/** Writes it in two files, `<prefix>-00001-of-00002.gguf` and its neighbour; returns the first. */
export async function writeSplitModel(prefix: string): Promise<string> {
  const tensors = quantizableTensors(2);
  const paths = [1, 2].map((number) => `${prefix}-0000${number}-of-00002.gguf`);
  const split = (number: number): Record<string, GgufValueInput> => ({
    'split.no': { type: 'uint16', value: number },
    'split.count': { type: 'uint16', value: 2 },
    'split.tensors.count': { type: 'int32', value: tensors.length },
  });
  const [first = '', second = ''] = paths;
  await writeGguf(first, {
    metadata: { ...quantizableMetadata(2), ...split(0) },
    tensors: tensors.slice(0, 9),
  });
  await writeGguf(second, { metadata: split(1), tensors: tensors.slice(9) });
  return first;
}

/** Every matrix of the layers, with invented importance: sums over 40 tokens. */
export function inventImportance(layers: number, rowLength = width, seed = 11): Map<string, Float32Array> {
  const random = new Random(seed);
  const names = quantizableTensors(layers)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('blk.') && !name.includes('norm'));
  return new Map(
    names.map((name) => [name, Float32Array.from({ length: rowLength }, () => 40 * random.next() ** 4)]),
  );
}

/** Writes an importance matrix in GGUF format. */
export async function writeImatrix(
  path: string,
  entries: ReadonlyMap<string, Float32Array>,
): Promise<string> {
  const tensors = [...entries].flatMap(([name, sums]): GgufTensorInput[] => [
    { name: `${name}.in_sum2`, dimensions: [sums.length, 1], type: 'F32', data: () => bytesOf(sums) },
    { name: `${name}.counts`, dimensions: [1, 1], type: 'F32', data: () => bytesOf(new Float32Array([40])) },
  ]);
  const metadata: Record<string, GgufValueInput> = {
    'general.type': text('imatrix'),
    'imatrix.datasets': { type: 'array', elementType: 'string', value: ['校准.txt'] },
    'imatrix.chunk_count': uint32(4),
    'imatrix.chunk_size': uint32(10),
  };
  await writeGguf(path, { metadata, tensors });
  return path;
}

/** Writes one in llama.cpp's format before 2025. */
export async function writeOldImatrix(
  path: string,
  entries: ReadonlyMap<string, Float32Array>,
): Promise<string> {
  const parts = [int32(entries.size)];
  for (const [name, sums] of entries) {
    parts.push(
      int32(Buffer.byteLength(name)),
      Buffer.from(name),
      int32(40),
      int32(sums.length),
      bytesOf(sums),
    );
  }
  parts.push(int32(4), int32(5), Buffer.from('a.txt'));
  await writeFile(path, Buffer.concat(parts));
  return path;
}

function bytesOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

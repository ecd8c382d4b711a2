import { createError } from '../errors.js';
import { tensorByteSize, tensorTypeByName } from '../gguf/tensor-types.js';
import type { SourceModel } from './source-model.js';
import type { QuantizedShare, QuantizedTensor } from './types.js';

/** What llama.cpp chose, in its order. */
export interface QuantizationPlan {
  readonly tensors: readonly QuantizedTensor[];
  readonly fallbackCount: number;
}

/**
 * A tensor in the log of a dry run, which is the only place where llama.cpp tells its choice:
 * `[   2/ 272] blk.0.attn_k.weight - [ 576, 192, 1, 1], type = f16, size = 0.21 MiB -> 0.07 MiB (q4_K)`
 */
const tensorLine =
  /^\[ *\d+\/ *\d+\] ([\s\S]*) - \[[^\]]*\], type = +(\w+), size = +[\d.]+ MiB(?: -> +[\d.]+ MiB \((\w+)\))?$/;

/** Names are padded to so many bytes. */
const nameBytes = 36;

const fallbackLine = /WARNING: (\d+) of \d+ tensor\(s\) required fallback quantization/;

/**
 * Reads the plan out of the log of a dry run.
 * @param names those in the output, with those in the model.
 */
export function readPlan(
  log: string,
  model: SourceModel,
  names: ReadonlyMap<string, string>,
): QuantizationPlan {
  const byPaddedName = new Map([...names].map(([name, original]) => [padded(name), { name, original }]));
  const found = log.split('\n').flatMap((line) => {
    const match = tensorLine.exec(line);
    return match === null ? [] : [match];
  });
  const tensors = found.map(([, shown = '', source = '', target = source]) => {
    const named = byPaddedName.get(shown);
    const info = model.tensors.get(named?.original ?? '');
    const type = tensorTypeByName(target.toUpperCase());
    if (named === undefined || info === undefined || type === undefined)
      throw unreadable(`it names a tensor '${shown.trim()}' of type ${target}`);
    const { name } = named;
    const { dimensions, type: sourceType, byteSize } = info;
    const bytes = tensorByteSize(type, dimensions);
    return { name, dimensions, sourceType, type: type.name, sourceBytes: byteSize, bytes };
  });
  if (tensors.length !== names.size) throw unreadable(`it tells ${tensors.length} of ${names.size} tensors`);
  return { tensors, fallbackCount: Number(fallbackLine.exec(log)?.[1] ?? 0) };
}

function padded(name: string): string {
  return name + ' '.repeat(Math.max(0, nameBytes - Buffer.byteLength(name)));
}

function unreadable(reason: string): Error {
  return createError(
    'QUANTIZATION_FAILED',
    `llama.cpp's plan of the quantization cannot be read: ${reason}.`,
  );
}

/** Number of weights of a tensor. */
export function weightsOf({ dimensions }: Pick<QuantizedTensor, 'dimensions'>): number {
  return dimensions.reduce((product, dimension) => product * dimension, 1);
}

/** Bits that a weight takes on average. */
export function bitsPerWeight(tensors: readonly QuantizedTensor[]): number {
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return (8 * bytes) / tensors.reduce((sum, tensor) => sum + weightsOf(tensor), 0);
}

/** The tensors by type, the largest share first. */
export function sharesOf(tensors: readonly QuantizedTensor[]): QuantizedShare[] {
  const shares = new Map<string, { type: string; tensorCount: number; bytes: number }>();
  for (const { type, bytes } of tensors) {
    const share = shares.get(type) ?? { type, tensorCount: 0, bytes: 0 };
    share.tensorCount++;
    share.bytes += bytes;
    shares.set(type, share);
  }
  return [...shares.values()].sort((a, b) => b.bytes - a.bytes);
}

/** Bytes that the tensors take in a file, where each is padded; source: `GGML_PAD` in src/llama-quant.cpp. */
export function paddedBytes(tensors: readonly QuantizedTensor[]): number {
  return tensors.reduce((sum, { bytes }) => sum + 32 * Math.ceil(bytes / 32), 0);
}

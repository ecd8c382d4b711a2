import { type TensorType, tensorByteSize, tensorTypeByName } from '../tensor-types.js';
import type { ModelMemory } from './layer-memory.js';

/** What a context is created with, as far as its memory depends on it. */
export interface CacheSettings {
  /** Tokens that the cache holds, a multiple of 256. */
  readonly contextSize: number;
  /** Sequences that llama.cpp is told of. */
  readonly sequences: number;
  readonly batchSize: number;
  readonly keyType: TensorType;
  readonly valueType: TensorType;
  /** Windowed layers hold all tokens as well. */
  readonly fullWindow: boolean;
}

/** `TENSOR_ALIGNMENT` in ggml/src/ggml-impl.h: where each tensor of a buffer starts. */
const alignment = 32;

/** `llama_context` and `llama_kv_cache_iswa` round numbers of tokens up to this. */
export const cellGranularity = 256;

/** Bytes of keys, values and states of each layer, in the order of the layers. Sums are what llama.cpp allocates. */
export function cacheBytesByLayer(memory: ModelMemory, settings: CacheSettings): number[] {
  const bytes = new Array<number>(memory.layers + 1).fill(0);
  const add = (layer: number, type: TensorType, columns: number, rows: number) => {
    bytes[layer] = (bytes[layer] ?? 0) + roundUp(tensorByteSize(type, [columns, rows]), alignment);
  };
  for (const { layer, keyLength, valueLength, isWindowed } of memory.attention) {
    const cells = isWindowed ? windowCells(memory, settings) : settings.contextSize;
    add(layer, settings.keyType, keyLength, cells);
    add(layer, settings.valueType, valueLength, cells);
  }
  for (const { layer, convolutionLength, stateLength } of memory.states) {
    add(layer, stateType, convolutionLength, settings.sequences);
    add(layer, stateType, stateLength, settings.sequences);
  }
  return bytes;
}

/** `size_swa` in src/llama-kv-cache-iswa.cpp, for memory that sequences share. */
function windowCells(memory: ModelMemory, settings: CacheSettings): number {
  if (settings.fullWindow || memory.window === undefined) return settings.contextSize;
  const wanted = memory.window.length * settings.sequences + settings.batchSize;
  return roundUp(Math.min(settings.contextSize, wanted), cellGranularity);
}

/** States are kept in full precision, whatever keys and values are. */
const stateType = namedType('F32');

export function namedType(name: string): TensorType {
  const type = tensorTypeByName(name);
  if (type === undefined) throw new Error(`There is no tensor type ${name}`);
  return type;
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

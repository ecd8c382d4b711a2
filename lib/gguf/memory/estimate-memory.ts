import { checkCacheType, checkInteger, checkKeys, invalidArgument } from '../../arguments.js';
import { residentSequences } from '../../engine/resident-sequences.js';
import { createError } from '../../errors.js';
import type { CacheType } from '../../native/types.js';
import { architectureOf } from '../header-values.js';
import { Hyperparameters } from '../hyperparameters.js';
import type { GgufHeader } from '../types.js';
import { type CacheSettings, cacheBytesByLayer, cellGranularity, namedType, roundUp } from './cache-bytes.js';
import { computeBytes, outputBytes } from './compute-bytes.js';
import { describeMemory, type ModelMemory } from './layer-memory.js';
import { architecturesWithOtherMemory } from './memory-rules.js';
import { firstLayerOnGpu, layerCountOf, placeWeights } from './weight-bytes.js';

/** Options of {@link estimateMemory}: those of `loadModel` that memory depends on. */
export interface MemoryOptions {
  /** Tokens in the KV cache, all sequences together. Default: what the model was trained for, 4096 at most. */
  contextSize?: number;
  /** Generations that run at the same time, 1 to 64. Default 1. */
  sequences?: number;
  /** Most tokens evaluated in one step. Default 512. */
  batchSize?: number;
  /** Type of the cached keys. Default `f16`. */
  keyType?: CacheType;
  /** Type of the cached values. Default `f16`. */
  valueType?: CacheType;
  /** What layers with a sliding window keep. Default `'full'`. */
  slidingWindow?: 'full' | 'window';
  /** Layers on the GPU: a number, or `'max'`; the output counts as one more layer. Default 0. */
  gpuLayers?: number | 'max';
}

/** Memory in bytes, by what it is for. */
export interface MemoryShare {
  /** Tensors of the model. A mapped file takes them from the page cache, which the system shares and can give up. */
  readonly weightBytes: number;
  /** Keys and values of tokens that were read, and states of recurrent layers. */
  readonly cacheBytes: number;
  /** Intermediate results of a step. */
  readonly computeBytes: number;
  /** Logits that a step leaves behind. */
  readonly outputBytes: number;
  readonly totalBytes: number;
}

/** What {@link estimateMemory} finds. */
export interface MemoryEstimate extends MemoryShare {
  /** Tokens in the KV cache: `contextSize`, rounded up to 256 as llama.cpp does. */
  readonly contextSize: number;
  /** What of it is in the memory of the machine. */
  readonly host: MemoryShare;
  /** What of it is on GPUs, all of them together. */
  readonly gpu: MemoryShare;
  /**
   * Whether `cacheBytes` is what llama.cpp allocates, to the byte. False for the few architectures whose memory is of a
   * kind of its own, and those that this version does not know; then it is a guess.
   */
  readonly isCacheExact: boolean;
}

const defaultContextLimit = 4096;
/** Larger ones than any model has, and small enough for exact sums. */
const mostTokens = 2 ** 31 - 1;
const optionNames = [
  'contextSize',
  'sequences',
  'batchSize',
  'keyType',
  'valueType',
  'slidingWindow',
  'gpuLayers',
] as const;

/**
 * How much memory a model will take when it is loaded with these options, from its header alone: nothing is loaded, and
 * the file may be a remote one. Weights and KV cache are exact for nearly all architectures; the buffers for intermediate
 * results, the smaller part, are estimated within some percent.
 *
 * @param header what `readGgufHeader` returns; for a model in several files, the headers of all of them, the first first.
 * @throws InvalidArgumentError INVALID_ARGUMENT.
 *
 * @example
 * ```ts
 * const header = await readGgufHeader('model.gguf');
 * const { totalBytes } = estimateMemory(header, { contextSize: 32_768, keyType: 'q8_0', valueType: 'q8_0' });
 * ```
 */
export function estimateMemory(
  header: GgufHeader | readonly GgufHeader[],
  options: MemoryOptions = {},
): MemoryEstimate {
  checkOptions(options);
  const headers = isList(header) ? header : [header];
  const [first] = headers;
  if (first === undefined) throw invalidArgument('header', 'at least one header', header);
  const memory = describeMemory(first);
  const settings = readSettings(first, memory, options);
  const layers = layerCountOf(first);
  const gpuLayers = options.gpuLayers === 'max' ? layers + 1 : Math.min(options.gpuLayers ?? 0, layers + 1);
  const weights = placeWeights(headers, layers, gpuLayers);
  const cache = splitByDevice(
    cacheBytesByLayer(memory, settings),
    gpuLayers === 0 ? memory.layers + 1 : firstLayerOnGpu(layers, gpuLayers),
  );
  const compute = computeBytes(first, memory, settings);
  const output = outputBytes(first, settings.sequences);
  const host = share(weights.host, cache.host, gpuLayers === 0 ? compute : 0, output);
  const gpu = share(weights.gpu, cache.gpu, gpuLayers === 0 ? 0 : compute, 0);
  const architecture = architectureOf(first);
  return {
    ...share(weights.host + weights.gpu, cache.host + cache.gpu, compute, output),
    contextSize: settings.contextSize,
    host,
    gpu,
    isCacheExact: architecture !== undefined && !architecturesWithOtherMemory.has(architecture),
  };
}

function isList(value: GgufHeader | readonly GgufHeader[]): value is readonly GgufHeader[] {
  return Array.isArray(value);
}

function checkOptions(options: MemoryOptions): void {
  checkKeys('options', options, optionNames);
  checkInteger('contextSize', options.contextSize, 1, mostTokens);
  checkInteger('sequences', options.sequences, 1, 64);
  checkInteger('batchSize', options.batchSize, 1, 65_536);
  checkCacheType('keyType', options.keyType);
  checkCacheType('valueType', options.valueType);
  if (options.gpuLayers !== 'max') checkInteger('gpuLayers', options.gpuLayers, 0, 100_000);
  const { slidingWindow } = options;
  if (slidingWindow !== undefined && slidingWindow !== 'full' && slidingWindow !== 'window') {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected 'full' or 'window' for slidingWindow; received ${slidingWindow}.`,
    );
  }
}

/** What the engine makes of the options, as `binding/context_api.cpp` hands it to llama.cpp. */
function readSettings(header: GgufHeader, memory: ModelMemory, options: MemoryOptions): CacheSettings {
  const facts = new Hyperparameters(header, architectureOf(header) ?? '');
  const trained = facts.count('context_length') || defaultContextLimit;
  const wanted = options.contextSize ?? Math.min(trained, defaultContextLimit);
  const fullWindow = options.slidingWindow !== 'window' || memory.window === undefined;
  const canShare = memory.states.length === 0 && fullWindow;
  const sequences = (options.sequences ?? 1) + (canShare ? residentSequences : 0);
  const batchSize = Math.min(Math.max(options.batchSize ?? 512, sequences), Math.max(wanted, sequences));
  return {
    contextSize: roundUp(wanted, cellGranularity),
    sequences,
    batchSize,
    keyType: namedType((options.keyType ?? 'f16').toUpperCase()),
    valueType: namedType((options.valueType ?? 'f16').toUpperCase()),
    fullWindow,
  };
}

function splitByDevice(byLayer: readonly number[], firstOnGpu: number): { host: number; gpu: number } {
  const sum = (bytes: readonly number[]) => bytes.reduce((total, more) => total + more, 0);
  return { host: sum(byLayer.slice(0, firstOnGpu)), gpu: sum(byLayer.slice(firstOnGpu)) };
}

function share(weightBytes: number, cacheBytes: number, compute: number, output: number): MemoryShare {
  return {
    weightBytes,
    cacheBytes,
    computeBytes: compute,
    outputBytes: output,
    totalBytes: weightBytes + cacheBytes + compute + output,
  };
}

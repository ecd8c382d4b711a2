import { architectureOf } from '../gguf/header-values.js';
import { Hyperparameters } from '../gguf/hyperparameters.js';
import { estimateMemory, type GgufHeader, type MemoryEstimate, type MemoryOptions } from '../gguf/index.js';
import type { AvailableMemory } from './available-memory.js';

/** Where a model is computed: on graphics cards, in the memory of the machine, or on both. */
export type ModelPlace = 'gpu' | 'both' | 'host';

/** Whether a model fits the memory, and how. */
export interface MemoryFit {
  readonly fits: boolean;
  /** The fastest place where it fits; where it fits nowhere, the memory of the machine. */
  readonly place: ModelPlace;
  /** What `loadModel` is to be given for that place. */
  readonly gpuLayers: number | 'max';
  /** Tokens of context that this is for. */
  readonly contextSize: number;
  /** Memory that model and context take. */
  readonly neededBytes: number;
  /** Memory that there is in this place. */
  readonly availableBytes: number;
  /** False when the model's header could not be read; then it is the size of the file and a margin. */
  readonly isFromHeader: boolean;
}

/** What a model is loaded with, as far as memory depends on it. */
export type FitOptions = Pick<MemoryOptions, 'contextSize' | 'keyType' | 'valueType' | 'sequences'>;

/** The header of one file of a repository; other quantizations of the model differ from it in their weights only. */
export interface KnownHeader {
  readonly header: GgufHeader;
  /** Size of the file that it is of. */
  readonly sizeBytes: number;
}

const defaultContextSize = 4096;
/** For a context, buffers and the program where nothing is known but the size of the file. */
const marginShare = 0.1;
const marginBytes = 512 * 1024 * 1024;

/** Tokens of context that a model was trained for, where its header tells. */
export function trainedContextSize({ header }: KnownHeader): number | undefined {
  const size = new Hyperparameters(header, architectureOf(header) ?? '').count('context_length');
  return size === 0 ? undefined : size;
}

/**
 * Whether a model of a size fits. Cache and buffers are those of the header; the weights take what the file takes, as
 * its header is small beside them.
 */
export function fitsMemory(
  known: KnownHeader | undefined,
  sizeBytes: number,
  available: AvailableMemory,
  options: FitOptions = {},
  places: readonly ModelPlace[] = ['gpu', 'both', 'host'],
): MemoryFit {
  if (known === undefined) return fitsBySize(sizeBytes, available, options, places);
  const share = sizeBytes / known.sizeBytes;
  const estimate = (gpuLayers: number | 'max') =>
    scale(estimateMemory(known.header, { ...options, gpuLayers }), share);
  for (const place of places) {
    const fit = fitAt(place, estimate, available, layersOf(known));
    if (fit !== undefined) return fit;
  }
  const { totalBytes, contextSize } = estimate(0);
  return {
    ...{ fits: false, place: 'host', gpuLayers: 0, contextSize, neededBytes: totalBytes },
    ...{ availableBytes: Math.max(available.hostBytes, available.gpuBytes), isFromHeader: true },
  };
}

interface Need {
  readonly hostBytes: number;
  readonly gpuBytes: number;
  readonly totalBytes: number;
  readonly contextSize: number;
}

function scale({ host, gpu, contextSize }: MemoryEstimate, share: number): Need {
  const bytesOf = ({ totalBytes, weightBytes }: typeof host) =>
    Math.round(totalBytes - weightBytes + weightBytes * share);
  const [hostBytes, gpuBytes] = [bytesOf(host), bytesOf(gpu)];
  return { hostBytes, gpuBytes, totalBytes: hostBytes + gpuBytes, contextSize };
}

function layersOf({ header }: KnownHeader): number {
  return new Hyperparameters(header, architectureOf(header) ?? '').count('block_count') ?? 0;
}

function fitAt(
  place: ModelPlace,
  estimate: (gpuLayers: number | 'max') => Need,
  { gpuBytes, hostBytes }: AvailableMemory,
  layers: number,
): MemoryFit | undefined {
  if (place !== 'host' && gpuBytes === 0) return undefined;
  const fitsGpu = (count: number) => estimate(count).gpuBytes <= gpuBytes;
  const gpuLayers = place === 'gpu' ? 'max' : place === 'host' ? 0 : largestThat(fitsGpu, 0, layers);
  const need = estimate(gpuLayers);
  if (need.gpuBytes > gpuBytes || need.hostBytes > hostBytes) return undefined;
  if (place === 'both' && gpuLayers === 0) return undefined;
  const availableBytes = { gpu: gpuBytes, both: gpuBytes + hostBytes, host: hostBytes }[place];
  const neededBytes = place === 'gpu' ? need.gpuBytes : need.totalBytes;
  const { contextSize } = need;
  return { fits: true, place, gpuLayers, contextSize, neededBytes, availableBytes, isFromHeader: true };
}

function fitsBySize(
  sizeBytes: number,
  { gpuBytes, hostBytes }: AvailableMemory,
  options: FitOptions,
  places: readonly ModelPlace[],
): MemoryFit {
  const neededBytes = Math.round(sizeBytes * (1 + marginShare) + marginBytes);
  const { contextSize = defaultContextSize } = options;
  const fitsGpu = places.includes('gpu') && neededBytes <= gpuBytes;
  return {
    fits: fitsGpu || (places.includes('host') && neededBytes <= hostBytes),
    place: fitsGpu ? 'gpu' : 'host',
    gpuLayers: fitsGpu ? 'max' : 0,
    contextSize,
    neededBytes,
    availableBytes: fitsGpu ? gpuBytes : hostBytes,
    isFromHeader: false,
  };
}

/** The largest whole number from `lowest` to `highest` that passes, when all below one that passes do so too. */
export function largestThat(passes: (value: number) => boolean, lowest: number, highest: number): number {
  let [low, high] = [lowest, highest];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (passes(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

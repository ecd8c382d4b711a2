import { freemem, totalmem } from 'node:os';
import type { Device, GgufHeader, MemoryEstimate, MemoryOptions } from '../../index.js';
import type { Library } from '../library.js';
import { formatBytes } from '../terminal/format.js';

/** What inspect tells about memory. */
export interface MemoryReport {
  readonly options: MemoryOptions;
  /** On the processor alone. */
  readonly estimate: MemoryEstimate;
  readonly places: readonly MemoryPlace[];
}

/** A memory that the model may be loaded into, as a whole. */
export interface MemoryPlace {
  readonly name: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly neededBytes: number;
  readonly fits: boolean;
}

/** Estimates the memory of a model, and holds it against that of this machine. */
export async function reportMemory(
  library: Pick<Library, 'estimateMemory' | 'getDevices'>,
  headers: readonly GgufHeader[],
  options: MemoryOptions,
): Promise<MemoryReport> {
  const estimate = library.estimateMemory(headers, options);
  const onGpu = library.estimateMemory(headers, { ...options, gpuLayers: 'max' });
  // Without a compiled addon a model can be inspected all the same.
  const devices = await library.getDevices().catch((): Device[] => []);
  const graphics = devices.filter(({ kind }) => kind === 'gpu' || kind === 'igpu');
  const places = [
    place('memory', freemem(), totalmem(), estimate.totalBytes),
    ...graphics.map(({ description, freeBytes, totalBytes }) =>
      place(description, freeBytes, totalBytes, onGpu.gpu.totalBytes),
    ),
  ];
  return { options, estimate, places };
}

function place(name: string, freeBytes: number, totalBytes: number, neededBytes: number): MemoryPlace {
  return { name, freeBytes, totalBytes, neededBytes, fits: neededBytes <= totalBytes };
}

/** Columns and cells of the table of memory. */
export function memoryTable({ estimate }: MemoryReport) {
  const columns = ['WEIGHTS', 'KV CACHE', 'COMPUTE', 'OUTPUT', 'TOTAL'].map((title) => ({
    title,
    align: 'right' as const,
  }));
  const { weightBytes, cacheBytes, computeBytes, outputBytes, totalBytes } = estimate;
  const sizes = [weightBytes, cacheBytes, computeBytes, outputBytes, totalBytes];
  return { columns, rows: [sizes.map(formatBytes)] };
}

/** One line for the settings, and one for each memory. */
export function memoryFacts({ options, estimate, places }: MemoryReport): (readonly [string, string])[] {
  const { keyType = 'f16', valueType = 'f16' } = options;
  const types = keyType === valueType ? keyType : `${keyType} and ${valueType}`;
  const exact = estimate.isCacheExact ? '' : '; the cache of this architecture is a guess';
  return [
    ['Memory for', `${estimate.contextSize.toLocaleString('en-US')} tokens, cached as ${types}${exact}`],
    ...places.map(
      ({ name, fits, neededBytes, totalBytes, freeBytes }) =>
        [
          fits ? 'Fits' : 'Does not fit',
          `${name}: ${formatBytes(neededBytes)} of ${formatBytes(totalBytes)}, ${formatBytes(freeBytes)} of it free now`,
        ] as const,
    ),
  ];
}

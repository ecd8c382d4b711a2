import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  estimateMemory,
  LlamaNativeError,
  type Model,
  type ReadGgufOptions,
  readGgufHeaders,
} from '../../index.js';
import type { ServedLoadOptions } from './types.js';

/** Memory that a model will take, as far as it can be told before it is loaded. */
export interface MemoryEstimateOfLoad {
  readonly bytes: number;
  /** False where the file is made while the model is loaded, as of a checkpoint; then it is what it is made from. */
  readonly isFromHeader: boolean;
}

/** Node.js itself and the addon, in the process of an engine. */
const processBytes = 64 * 1024 * 1024;

/**
 * Estimates the memory of a model before it is loaded: weights, context and buffers, adapters and draft model, and the
 * process that they are in. Of a file that is not on this machine yet only the header is fetched.
 * @throws what reading the header throws.
 */
export async function estimateLoad(
  source: string,
  load: ServedLoadOptions,
  signal: AbortSignal,
): Promise<MemoryEstimateOfLoad> {
  const overhead = load.isolate === false ? 0 : processBytes;
  const checkpointBytes = await sizeOfCheckpoint(source);
  if (checkpointBytes !== undefined) return { bytes: checkpointBytes + overhead, isFromHeader: false };
  const reading = readingOptions(load, signal);
  try {
    const parts = await Promise.all([
      estimateModel(source, load, reading),
      estimateDraft(load, reading),
      ...(load.adapters ?? []).map((adapter) =>
        sizeOfTensors(typeof adapter === 'string' ? adapter : adapter.path, reading),
      ),
    ]);
    return { bytes: parts.reduce((sum, bytes) => sum + bytes, overhead), isFromHeader: true };
  } catch (error) {
    // A repository that has a checkpoint only: how large its file will be shows when it is there.
    const hasNoFile = LlamaNativeError.isInstance(error) && error.code === 'FILE_NOT_IN_REPOSITORY';
    if (hasNoFile) return { bytes: overhead, isFromHeader: false };
    throw error;
  }
}

/**
 * Memory of a loaded model, in bytes: that of its engine's process, which is started again if it is not there. Where the
 * engine is in this process, and for pages of a mapped file that were not read yet or memory on a GPU, it is what was
 * estimated.
 */
export async function measureMemory(model: Model, estimatedBytes: number | undefined): Promise<number> {
  return Math.max((await processBytesOf(model)) ?? 0, estimatedBytes ?? model.metadata.sizeBytes);
}

async function processBytesOf(model: Model): Promise<number | undefined> {
  try {
    return (await model.metrics()).engineProcess?.memoryBytes;
  } catch (error) {
    if (!LlamaNativeError.isInstance(error) || error.code !== 'MODEL_UNSUPPORTED') throw error;
    await model.tokenize('a'); // it has no metrics, as it generates no text; its engine should be there all the same
    return undefined;
  }
}

function readingOptions(load: ServedLoadOptions, signal: AbortSignal): ReadGgufOptions {
  const { cacheDirectory, token, endpoint } = load;
  return {
    signal,
    ...(cacheDirectory !== undefined && { cacheDirectory }),
    ...(token !== undefined && { token }),
    ...(endpoint !== undefined && { endpoint }),
  };
}

async function estimateModel(
  source: string,
  load: ServedLoadOptions,
  reading: ReadGgufOptions,
): Promise<number> {
  const { contextSize, sequences, batchSize, keyType, valueType, slidingWindow } = load;
  const headers = await readGgufHeaders(source, reading);
  // Where the layers are does not matter: the budget is for all memory together.
  return estimateMemory(headers, {
    ...(contextSize !== undefined && { contextSize }),
    ...(sequences !== undefined && { sequences }),
    ...(batchSize !== undefined && { batchSize }),
    ...(keyType !== undefined && { keyType }),
    ...(valueType !== undefined && { valueType }),
    ...(slidingWindow !== undefined && { slidingWindow }),
  }).totalBytes;
}

async function estimateDraft({ speculative, ...load }: ServedLoadOptions, reading: ReadGgufOptions) {
  return speculative?.draftModel === undefined ? 0 : estimateModel(speculative.draftModel, load, reading);
}

async function sizeOfTensors(source: string, reading: ReadGgufOptions): Promise<number> {
  const headers = await readGgufHeaders(source, reading);
  return headers.flatMap(({ tensors }) => tensors).reduce((sum, { byteSize }) => sum + byteSize, 0);
}

/** Size of the weights in a folder of safetensors, from which a smaller file may be made. */
async function sizeOfCheckpoint(source: string): Promise<number | undefined> {
  const names = await readdir(source).catch(() => undefined);
  const weights = names?.filter((name) => name.endsWith('.safetensors')) ?? [];
  if (weights.length === 0) return undefined;
  const files = await Promise.all(weights.map((name) => stat(join(source, name))));
  return files.reduce((sum, { size }) => sum + size, 0);
}

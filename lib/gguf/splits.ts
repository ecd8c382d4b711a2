import { createError, LlamaNativeError } from '../errors.js';
import { checkTensors } from './check-tensors.js';
import { invalidModel } from './invalid-model.js';
import { type ReadHeaderOptions, readGgufHeader } from './read-header.js';
import type { GgufHeader, GgufTensorInfo } from './types.js';

/** `llama_split_path` in src/llama.cpp: `<prefix>-00001-of-00003.gguf`. */
const splitName = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s;

/** The path of one file of a split model, or undefined where the path is not named like one. `index` is from 0. */
export function splitPath(path: string, index: number, count: number): string | undefined {
  const prefix = splitName.exec(path)?.[1];
  const pad = (number: number) => String(number).padStart(5, '0');
  return prefix === undefined ? undefined : `${prefix}-${pad(index + 1)}-of-${pad(count)}.gguf`;
}

/** How many files the model is in, 1 for most. */
export function splitCount(header: GgufHeader): number {
  return splitNumber(header, 'split.count') ?? 1;
}

/**
 * Checks the other files of a split model. llama.cpp reads `split.no` of each without looking at its type, which is
 * an assertion (`gguf_get_val_u16` in the constructor of `llama_model_loader`).
 */
export async function checkSplits(header: GgufHeader, options: ReadHeaderOptions): Promise<void> {
  const count = splitCount(header);
  if (count <= 1) {
    return;
  }
  const index = splitNumber(header, 'split.no');
  if (index !== 0) {
    const first = splitPath(header.path, 0, count);
    throw invalidModel(
      header.path,
      `it is file ${index === undefined ? '(unknown)' : index + 1} of a model in ${count} files; name the first` +
        `${first === undefined ? '' : `, ${first}`}.`,
    );
  }
  for (let other = 1; other < count; other++) {
    await checkSplit(header, other, count, options);
  }
}

async function checkSplit(
  first: GgufHeader,
  index: number,
  count: number,
  options: ReadHeaderOptions,
): Promise<void> {
  const path = splitPath(first.path, index, count);
  if (path === undefined || splitPath(first.path, 0, count) !== first.path) {
    throw invalidModel(
      first.path,
      `it is the first of ${count} files, so its name must end in -00001-of-${String(count).padStart(5, '0')}.gguf.`,
    );
  }
  const header = await readSplit(path, index, count, options);
  const actual = splitNumber(header, 'split.no');
  if (actual !== index) {
    throw invalidModel(
      path,
      `it should be file ${index + 1} of ${count}, but split.no is ${actual ?? 'missing'}.`,
    );
  }
  checkTensors(header);
}

async function readSplit(
  path: string,
  index: number,
  count: number,
  options: ReadHeaderOptions,
): Promise<GgufHeader> {
  try {
    return await readGgufHeader(path, options);
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && error.code === 'MODEL_NOT_FOUND') {
      throw createError(
        'MODEL_NOT_FOUND',
        `File ${index + 1} of ${count} of the model is missing. ${error.message}`,
        { cause: error, details: error.details },
      );
    }
    throw error;
  }
}

/** The tensors of a checked model, those of all its files. */
export async function readAllTensors(
  header: GgufHeader,
  options: ReadHeaderOptions,
): Promise<readonly GgufTensorInfo[]> {
  const count = splitCount(header);
  const tensors = [...header.tensors];
  for (let index = 1; index < count; index++) {
    const path = splitPath(header.path, index, count);
    if (path !== undefined) tensors.push(...(await readGgufHeader(path, options)).tensors);
  }
  return tensors;
}

function splitNumber(header: GgufHeader, key: string): number | undefined {
  const entry = header.metadata.get(key);
  return entry?.type === 'uint16' ? entry.value : undefined;
}

import { createError, type ErrorCode, LlamaNativeError } from '../errors.js';
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
  const [, ...others] = await readSplits(header, (path) => readGgufHeader(path, options));
  for (const other of others) checkTensors(other);
}

/**
 * The headers of all files of a model, the given one first.
 * @param read reads another file, by a name that differs from the first one's in its number only.
 * @throws ModelLoadError MODEL_NOT_FOUND for a missing file, MODEL_INVALID for one that is not the file it should be.
 */
export async function readSplits(
  header: GgufHeader,
  read: (path: string) => Promise<GgufHeader>,
): Promise<GgufHeader[]> {
  const count = splitCount(header);
  if (count <= 1) return [header];
  const index = splitNumber(header, 'split.no');
  if (index !== 0) {
    const first = splitPath(header.path, 0, count);
    throw invalidModel(
      header.path,
      `it is file ${index === undefined ? '(unknown)' : index + 1} of a model in ${count} files; name the first` +
        `${first === undefined ? '' : `, ${first}`}.`,
    );
  }
  const headers = [header];
  for (let other = 1; other < count; other++) headers.push(await readOther(header, other, count, read));
  return headers;
}

async function readOther(
  first: GgufHeader,
  index: number,
  count: number,
  read: (path: string) => Promise<GgufHeader>,
): Promise<GgufHeader> {
  const path = splitPath(first.path, index, count);
  if (path === undefined || splitPath(first.path, 0, count) !== first.path) {
    throw invalidModel(
      first.path,
      `it is the first of ${count} files, so its name must end in -00001-of-${String(count).padStart(5, '0')}.gguf.`,
    );
  }
  const header = await readExisting(path, index, count, read);
  const actual = splitNumber(header, 'split.no');
  if (actual !== index) {
    throw invalidModel(
      path,
      `it should be file ${index + 1} of ${count}, but split.no is ${actual ?? 'missing'}.`,
    );
  }
  return header;
}

async function readExisting(
  path: string,
  index: number,
  count: number,
  read: (path: string) => Promise<GgufHeader>,
): Promise<GgufHeader> {
  try {
    return await read(path);
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && isMissing(error.code)) {
      throw createError(
        error.code,
        `File ${index + 1} of ${count} of the model is missing. ${error.message}`,
        { cause: error, details: error.details },
      );
    }
    throw error;
  }
}

function isMissing(code: ErrorCode): boolean {
  return code === 'MODEL_NOT_FOUND' || code === 'FILE_NOT_IN_REPOSITORY';
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

import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkSignal,
  invalidArgument,
} from '../arguments.js';
import { createError } from '../errors.js';
import type { OutputOptions } from '../files/write-whole-file.js';
import { writeWholeFiles } from '../files/write-whole-files.js';
import { checkPlacement } from './check-placement.js';
import {
  type CopiedTensor,
  type CopyPlan,
  type GgufWriteProgress,
  TensorCopier,
  tensorsOf,
} from './copy-tensors.js';
import type { GgufValueInput } from './encode-header.js';
import { readGgufHeader } from './read-header.js';
import { mostSplits, splitKeys } from './split-keys.js';
import { splitCount, splitName } from './splits.js';

/** Options of calls that copy tensors into other files. */
export interface CopyGgufOptions extends OutputOptions {
  /** Told about every few megabytes. */
  onProgress?: (progress: GgufWriteProgress) => void;
  /** Cancels the writing; nothing of the output is left. */
  signal?: AbortSignal;
}

/** Options of {@link splitGguf}. */
export interface SplitGgufOptions extends CopyGgufOptions {
  /** Most tensors of a file. Default 128, unless `maxBytes` is given. */
  maxTensors?: number;
  /** Most bytes of tensors in a file; a tensor that is larger gets a file of its own. */
  maxBytes?: number;
  /** Put all metadata into a first file without tensors, so that it is small to fetch. Default false. */
  metadataFirst?: boolean;
}

const defaultMaxTensors = 128;
/** `GGUF_DEFAULT_ALIGNMENT` in gguf.h, by which llama-gguf-split counts. */
const countedAlignment = 32;

export const copyOptionNames = ['overwrite', 'onProgress', 'signal'] as const;

/** Checks what calls that copy tensors have in common. */
export function checkCopyOptions(options: CopyGgufOptions): void {
  checkBoolean('overwrite', options.overwrite);
  checkFunction('onProgress', options.onProgress);
  checkSignal(options.signal);
}

/**
 * Splits a model into several files, as llama.cpp's `llama-gguf-split` does: the same files, byte by byte. llama.cpp loads
 * them when the first one is named. All files appear when the last one is written.
 *
 * @param prefix path and beginning of the names: `out/model` makes `out/model-00001-of-00003.gguf` and so on. A `.gguf` at
 * its end is taken off.
 * @returns the paths, the first file first.
 * @throws MODEL_NOT_FOUND, MODEL_INVALID for an input that is damaged, or is a part of a split model already;
 * INVALID_ARGUMENT, OUTPUT_EXISTS, DISK_FULL, FILE_ACCESS_FAILED, ABORTED.
 *
 * @example
 * ```ts
 * import { splitGguf } from 'llama-native';
 *
 * const [first] = await splitGguf('model.gguf', 'parts/model', { maxBytes: 50e6 });
 * ```
 */
export async function splitGguf(
  input: string,
  prefix: string,
  options: SplitGgufOptions = {},
): Promise<string[]> {
  checkKeys('options', options, ['maxTensors', 'maxBytes', 'metadataFirst', ...copyOptionNames]);
  checkCopyOptions(options);
  checkInteger('maxTensors', options.maxTensors, 1, Number.MAX_SAFE_INTEGER);
  checkInteger('maxBytes', options.maxBytes, 1, Number.MAX_SAFE_INTEGER);
  checkBoolean('metadataFirst', options.metadataFirst);
  if (typeof prefix !== 'string' || prefix === '') {
    throw invalidArgument('prefix', 'the beginning of the paths to write', prefix);
  }
  const { signal, onProgress } = options;
  const header = await readGgufHeader(input, signal === undefined ? {} : { signal });
  checkPlacement(header);
  if (splitCount(header) > 1) {
    throw createError(
      'MODEL_INVALID',
      `${input} is a part of a split model already. Merge its parts first.`,
      {
        details: { path: input },
      },
    );
  }
  const groups = groupTensors(tensorsOf(header), options);
  if (groups.length > mostSplits) {
    const message = `Expected limits that make ${mostSplits} files at most; these make ${groups.length}.`;
    throw createError('INVALID_ARGUMENT', message);
  }
  const paths = groups.map((_, index) => splitName(prefix.replace(/\.gguf$/i, ''), index, groups.length));
  const plans = groups.map((tensors, index): CopyPlan => {
    const own = index === 0 ? [...header.metadata] : [];
    const metadata = new Map<string, GgufValueInput>(own);
    setSplitKeys(metadata, index, groups.length, header.tensors.length);
    return { path: paths[index] ?? '', metadata, tensors };
  });
  const copier = new TensorCopier(plans, { signal, onProgress });
  const file = {
    overwrite: options.overwrite ?? false,
    inputs: [input],
    neededBytes: copier.totalBytes,
    signal,
  };
  await writeWholeFiles(paths, file, (temporaryPaths) => copier.write(temporaryPaths));
  return paths;
}

/** `should_split` in llama.cpp's tools/gguf-split: a new file where the next tensor would be too much. */
function groupTensors(tensors: readonly CopiedTensor[], options: SplitGgufOptions): CopiedTensor[][] {
  const maxTensors = options.maxTensors ?? (options.maxBytes === undefined ? defaultMaxTensors : Infinity);
  const maxBytes = options.maxBytes ?? Infinity;
  const groups: CopiedTensor[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = Math.ceil(tensor.byteSize / countedAlignment) * countedAlignment;
    const group = groups.at(-1) ?? [];
    if (group.length > 0 && (group.length >= maxTensors || bytes + size > maxBytes)) {
      groups.push([tensor]);
      bytes = size;
    } else {
      group.push(tensor);
      bytes += size;
    }
  }
  return options.metadataFirst === true ? [[], ...groups] : groups;
}

/** In the order in which llama-gguf-split leaves them. */
function setSplitKeys(
  metadata: Map<string, GgufValueInput>,
  index: number,
  count: number,
  tensorCount: number,
): void {
  for (const key of Object.values(splitKeys)) metadata.delete(key);
  metadata.set(splitKeys.index, { type: 'uint16', value: index });
  metadata.set(splitKeys.tensorCount, { type: 'int32', value: tensorCount });
  metadata.set(splitKeys.count, { type: 'uint16', value: count });
}

import { checkKeys } from '../arguments.js';
import { createError } from '../errors.js';
import { writeWholeFile } from '../files/write-whole-file.js';
import { checkPlacement } from './check-placement.js';
import { TensorCopier, tensorsOf } from './copy-tensors.js';
import type { GgufValueInput } from './encode-header.js';
import { invalidModel } from './invalid-model.js';
import { readGgufHeader } from './read-header.js';
import { type CopyGgufOptions, checkCopyOptions, copyOptionNames } from './split-gguf.js';
import { splitKeys } from './split-keys.js';
import { readSplits, splitCount } from './splits.js';
import type { GgufHeader } from './types.js';

/**
 * Puts the files of a split model together, as llama.cpp's `llama-gguf-split --merge` does: the same file, byte by byte.
 *
 * @param firstPart the first file, named like `model-00001-of-00003.gguf`; the others lie beside it.
 * @throws MODEL_NOT_FOUND where a part is missing, MODEL_INVALID where one is damaged or does not belong to the others, or
 * where the model is not split; INVALID_ARGUMENT, OUTPUT_EXISTS, DISK_FULL, FILE_ACCESS_FAILED, ABORTED.
 *
 * @example
 * ```ts
 * import { mergeGguf, splitGguf } from 'llama-native';
 *
 * const [first] = await splitGguf('model.gguf', 'model');
 * await mergeGguf(first, 'merged.gguf');
 * ```
 */
export async function mergeGguf(
  firstPart: string,
  output: string,
  options: CopyGgufOptions = {},
): Promise<void> {
  checkKeys('options', options, copyOptionNames);
  checkCopyOptions(options);
  const { signal, onProgress } = options;
  const read = (path: string) => readGgufHeader(path, signal === undefined ? {} : { signal });
  const first = await read(firstPart);
  if (splitCount(first) <= 1) {
    const message = `${firstPart} is not a part of a split model: there is nothing to merge.`;
    throw createError('MODEL_INVALID', message, { details: { path: firstPart } });
  }
  const headers = await readSplits(first, read);
  checkTogether(headers);
  const metadata = new Map<string, GgufValueInput>(first.metadata);
  // None is left to be looked for. llama-gguf-split writes it last.
  metadata.delete(splitKeys.count);
  metadata.set(splitKeys.count, { type: 'uint16', value: 0 });
  const plan = { path: output, metadata, tensors: headers.flatMap(tensorsOf) };
  const copier = new TensorCopier([plan], { signal, onProgress });
  const file = {
    overwrite: options.overwrite ?? false,
    inputs: headers.map(({ path }) => path),
    neededBytes: copier.totalBytes,
    signal,
  };
  await writeWholeFile(output, file, (temporaryPath) => copier.write([temporaryPath]));
}

/** Parts that were made by different splits have names that fit, but not what they say. */
function checkTogether(headers: readonly GgufHeader[]): void {
  const [first] = headers;
  const names = new Set<string>();
  for (const header of headers) {
    checkPlacement(header);
    if (splitCount(header) !== headers.length) {
      throw foreign(
        header,
        `it says it is one of ${splitCount(header)} files, the first says ${headers.length}`,
      );
    }
    for (const { name } of header.tensors) {
      if (names.has(name)) throw foreign(header, `its tensor '${name}' is in an earlier file too`);
      names.add(name);
    }
  }
  const announced = first?.metadata.get(splitKeys.tensorCount)?.value;
  if (first === undefined || announced === undefined || Number(announced) === names.size) return;
  throw foreign(first, `it announces ${announced} tensors in all files, they have ${names.size}`);
}

function foreign(header: GgufHeader, reason: string): Error {
  return invalidModel(
    header.path,
    `${reason}. The files do not belong together, or one is incomplete; download all of them again.`,
  );
}

import { checkKeys, describeValue, invalidArgument } from '../arguments.js';
import { createError } from '../errors.js';
import { writeWholeFile } from '../files/write-whole-file.js';
import { checkPlacement } from './check-placement.js';
import { TensorCopier, tensorsOf } from './copy-tensors.js';
import type { GgufValueInput } from './encode-header.js';
import { readGgufHeader } from './read-header.js';
import { type CopyGgufOptions, checkCopyOptions, copyOptionNames } from './split-gguf.js';
import { ggufValueTypes } from './types.js';

/** New values by key; `null` takes a key away. */
export type GgufMetadataChanges = Readonly<Record<string, GgufValueInput | null>>;

/**
 * Copies a file with other metadata: a corrected chat template, another name, a longer context. Keys that are there keep
 * their place, new ones come last; tensors are copied as they are. Of a split model, edit the first file under its own
 * name in another folder.
 *
 * @throws MODEL_NOT_FOUND, MODEL_INVALID; INVALID_ARGUMENT for a value that does not fit its type, or an output that is the
 * input; OUTPUT_EXISTS, DISK_FULL, FILE_ACCESS_FAILED, ABORTED.
 *
 * @example
 * ```ts
 * import { editGgufMetadata } from 'llama-native';
 *
 * const template = '{% for message in messages %}{{ message.content }}{% endfor %}';
 * await editGgufMetadata('model.gguf', 'fixed.gguf', {
 *   'tokenizer.chat_template': { type: 'string', value: template },
 *   'general.description': null,
 * });
 * ```
 */
export async function editGgufMetadata(
  input: string,
  output: string,
  changes: GgufMetadataChanges,
  options: CopyGgufOptions = {},
): Promise<void> {
  checkKeys('options', options, copyOptionNames);
  checkCopyOptions(options);
  checkChanges(changes);
  const { signal, onProgress } = options;
  const header = await readGgufHeader(input, signal === undefined ? {} : { signal });
  checkPlacement(header);
  const metadata = new Map<string, GgufValueInput>(header.metadata);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) metadata.delete(key);
    else metadata.set(key, value);
  }
  const copier = new TensorCopier([{ path: output, metadata, tensors: tensorsOf(header) }], {
    signal,
    onProgress,
  });
  const file = {
    overwrite: options.overwrite ?? false,
    inputs: [input],
    neededBytes: copier.totalBytes,
    signal,
  };
  await writeWholeFile(output, file, (temporaryPath) => copier.write([temporaryPath]));
}

/** What a reader would refuse must not be written. */
function checkChanges(changes: GgufMetadataChanges): void {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes)) {
    throw invalidArgument('changes', 'an object of values by key', changes);
  }
  for (const [key, value] of Object.entries(changes)) {
    if (key === '' || key.includes('\0') || Buffer.byteLength(key) > 65_535) {
      throw createError(
        'INVALID_ARGUMENT',
        `Expected a key of 1 to 65535 bytes; received ${describeValue(key)}.`,
      );
    }
    if (value === null) continue;
    if (typeof value !== 'object' || !ggufValueTypes.includes(value.type)) {
      throw invalidArgument(
        `changes['${key}']`,
        `null, or a value with one of the types ${ggufValueTypes.join(', ')},`,
        value,
      );
    }
  }
}

import { describeValue } from '../../arguments.js';
import {
  bytesPerElement,
  type CheckpointDataType,
  checkpointDataTypes,
  isCheckpointDataType,
} from './data-types.js';
import { invalidCheckpoint, unsupportedCheckpoint } from './errors.js';
import { isJsonObject, type JsonObject } from './json-file.js';

/** A tensor of a checkpoint and where its bytes lie. */
export interface CheckpointTensor {
  readonly name: string;
  readonly type: CheckpointDataType;
  /** Elements along each dimension, slowest-changing first, as PyTorch has them. */
  readonly shape: readonly number[];
  /** Path of the file that holds it. */
  readonly file: string;
  /** Where its bytes start in that file. */
  readonly start: number;
  readonly byteSize: number;
}

/** Bytes before the JSON text: its length. */
export const prefixLength = 8;

/** The format's own limit for the JSON text. */
const largestHeader = 100_000_000;

/** The length of the JSON text, from the first bytes of a file. */
export function safetensorsHeaderLength(path: string, prefix: Uint8Array, fileSize: number): number {
  if (fileSize < prefixLength || prefix.byteLength < prefixLength) {
    throw invalidCheckpoint(
      path,
      `expected at least ${prefixLength} bytes of a safetensors file, received ${fileSize}. Download it again.`,
    );
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefixLength);
  const length = view.getBigUint64(0, true);
  const limit = Math.min(fileSize - prefixLength, largestHeader);
  if (length < 2n || length > BigInt(limit)) {
    throw invalidCheckpoint(
      path,
      `expected a safetensors header of 2 to ${limit} bytes, received the length ${length}. The file is truncated, ` +
        'damaged or of another format; download it again.',
    );
  }
  return Number(length);
}

/** The tensors that the JSON text of a safetensors file tells of, in the order of their bytes. */
export function parseSafetensorsHeader(path: string, text: Uint8Array, fileSize: number): CheckpointTensor[] {
  const dataStart = prefixLength + text.byteLength;
  const tensors = Object.entries(parseObject(path, text))
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readEntry(path, name, entry, dataStart, fileSize));
  tensors.sort((first, second) => first.start - second.start || first.byteSize - second.byteSize);
  checkPlacement(path, tensors, dataStart, fileSize);
  return tensors;
}

function parseObject(path: string, text: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (error) {
    throw invalidCheckpoint(path, 'its header is not JSON. Download the file again.', {}, error);
  }
  if (isJsonObject(value)) return value;
  throw invalidCheckpoint(path, 'its header is not an object. Download the file again.');
}

function readEntry(
  path: string,
  name: string,
  entry: unknown,
  dataStart: number,
  fileSize: number,
): CheckpointTensor {
  if (!isJsonObject(entry)) throw invalidEntry(path, name, 'an object', entry);
  const { dtype: type, shape, data_offsets: offsets } = entry;
  if (typeof type !== 'string') throw invalidEntry(path, name, 'a name as dtype', type);
  if (!isCheckpointDataType(type)) {
    throw unsupportedCheckpoint(
      path,
      `expected one of ${checkpointDataTypes.join(', ')} as dtype of '${name}', received ${describeValue(type)}.`,
      { tensor: name, type },
    );
  }
  if (!isCountList(shape)) throw invalidEntry(path, name, 'a list of counts as shape', shape);
  if (!isCountList(offsets) || offsets.length !== 2) {
    throw invalidEntry(path, name, 'two byte positions as data_offsets', offsets);
  }
  const [start, end] = offsets as readonly [number, number];
  if (start > end || end > fileSize - dataStart) {
    throw invalidEntry(
      path,
      name,
      `data_offsets within the ${fileSize - dataStart} bytes of data (a file that is truncated has fewer)`,
      offsets,
    );
  }
  const byteSize = sizeOf(type, shape);
  if (byteSize !== end - start) {
    throw invalidEntry(path, name, `${byteSize} bytes, as dtype and shape ask for`, end - start);
  }
  return { name, type, shape, file: path, start: dataStart + start, byteSize };
}

/** As many dimensions as a tensor can sensibly have. */
const mostDimensions = 16;

function isCountList(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length <= mostDimensions &&
    value.every((element) => Number.isSafeInteger(element) && element >= 0)
  );
}

/** Infinity, or a number that no file has, where the product grows too large. */
function sizeOf(type: CheckpointDataType, shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, bytesPerElement(type));
}

/** The format allows neither overlaps nor holes: either one means that offsets were changed. */
function checkPlacement(
  path: string,
  tensors: readonly CheckpointTensor[],
  dataStart: number,
  fileSize: number,
): void {
  let end = dataStart;
  let previous: string | undefined;
  for (const { name, start, byteSize } of tensors) {
    if (start < end) {
      throw invalidCheckpoint(
        path,
        `the bytes of '${name}' overlap those of '${previous}'. Download the file again.`,
        { tensor: name },
      );
    }
    if (start > end) {
      throw invalidCheckpoint(
        path,
        `${start - end} bytes before '${name}' belong to no tensor. Download the file again.`,
        { tensor: name },
      );
    }
    end = start + byteSize;
    previous = name;
  }
  if (end === fileSize) return;
  throw invalidCheckpoint(
    path,
    `expected ${end} bytes, as its header says, received ${fileSize}. Download the file again.`,
  );
}

function invalidEntry(path: string, name: string, expected: string, received: unknown): Error {
  const shown = isCountList(received) ? `[${received.join(', ')}]` : describeValue(received);
  return invalidCheckpoint(
    path,
    `expected ${expected} for the tensor '${name.slice(0, 200)}', received ${shown}. Download the file again.`,
    { tensor: name },
  );
}

import { type FileHandle, open, rm } from 'node:fs/promises';
import { createError } from '../errors.js';
import { isDiskFull } from '../files/free-space.js';
import { GgufStringArray } from './string-array.js';
import { type TensorType, tensorByteSize, tensorTypeByName, tensorTypes } from './tensor-types.js';
import {
  type GgufArrayValues,
  type GgufElementType,
  type GgufNumberType,
  type GgufValueType,
  ggufValueTypes,
} from './types.js';

/** A metadata value to write. Arrays may be given as plain arrays or as what a header holds. */
export type GgufValueInput =
  | { readonly type: GgufNumberType; readonly value: number }
  | { readonly type: 'uint64' | 'int64'; readonly value: number | bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | {
      readonly type: 'array';
      readonly elementType: GgufElementType;
      readonly value: GgufArrayValues[GgufElementType] | readonly (number | bigint | boolean | string)[];
    };

/** The bytes of a tensor: at once, or piece by piece. */
export type TensorData = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A tensor to write. */
export interface GgufTensorInput {
  /** Up to 63 bytes. */
  readonly name: string;
  /** Elements along each dimension, fastest-changing first. */
  readonly dimensions: readonly number[];
  /** Name of the data type, such as `F32` or `Q8_0`. */
  readonly type: string;
  /** Called once, when the tensor's turn comes; gives exactly the bytes that type and dimensions ask for. */
  readonly data: () => TensorData;
}

/** What goes into a GGUF file. */
export interface GgufContent {
  /** Metadata in the order in which it is written. */
  readonly metadata: ReadonlyMap<string, GgufValueInput> | Readonly<Record<string, GgufValueInput>>;
  /** Default none. */
  readonly tensors?: readonly GgufTensorInput[];
}

const defaultAlignment = 32;

interface PlacedTensor extends GgufTensorInput {
  readonly tensorType: TensorType;
  readonly offset: number;
  readonly byteSize: number;
}

/**
 * Writes a GGUF file of version 3, little-endian, replacing what is at `path`. Tensor data is streamed: one piece is
 * in memory at a time. A `general.alignment` among the metadata is obeyed.
 *
 * Throws INVALID_ARGUMENT for a value that does not fit its type and for tensor data of the wrong length; DISK_FULL.
 * After a failure no file is left.
 */
export async function writeGguf(path: string, content: GgufContent): Promise<void> {
  const metadata =
    content.metadata instanceof Map ? content.metadata : new Map(Object.entries(content.metadata));
  const alignment = alignmentOf(metadata);
  const tensors = placeTensors(content.tensors ?? [], alignment);
  const header = encodeGgufHeader(metadata, tensors);
  const file = await open(path, 'w');
  try {
    await writeAll(file, header);
    if (tensors.length > 0) {
      await writePadding(file, header.length, alignment);
    }
    for (const tensor of tensors) {
      await writeTensor(file, tensor);
      await writePadding(file, tensor.byteSize, alignment);
    }
  } catch (error) {
    await rm(path, { force: true });
    throw isDiskFull(error)
      ? createError(
          'DISK_FULL',
          `No room on the disk while writing ${path}. Free some space and try again.`,
          {
            cause: error,
            details: { path },
          },
        )
      : error;
  } finally {
    await file.close();
  }
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValueInput>): number {
  const entry = metadata.get('general.alignment');
  if (entry === undefined) {
    return defaultAlignment;
  }
  if (entry.type !== 'uint32' || entry.value < 1 || (entry.value & (entry.value - 1)) !== 0) {
    throw invalid('Expected general.alignment to be a power of two of type uint32', entry.value);
  }
  return entry.value;
}

function placeTensors(tensors: readonly GgufTensorInput[], alignment: number): PlacedTensor[] {
  const names = new Set<string>();
  let offset = 0;
  return tensors.map((tensor) => {
    const tensorType = tensorTypeByName(tensor.type);
    if (tensorType === undefined) {
      const known = tensorTypes.map((type) => type.name).join(', ');
      throw invalid(`Expected the type of tensor '${tensor.name}' to be one of ${known}`, tensor.type);
    }
    checkName(tensor.name, names);
    checkDimensions(tensor, tensorType);
    const byteSize = tensorByteSize(tensorType, tensor.dimensions);
    const placed = { ...tensor, tensorType, offset, byteSize };
    offset += Math.ceil(byteSize / alignment) * alignment;
    return placed;
  });
}

function checkName(name: string, names: Set<string>): void {
  if (Buffer.byteLength(name) > 63 || names.has(name)) {
    throw invalid('Expected tensor names that differ and have 63 bytes at most', name);
  }
  names.add(name);
}

function checkDimensions({ name, dimensions }: GgufTensorInput, type: TensorType): void {
  const areCounts = dimensions.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  if (dimensions.length < 1 || dimensions.length > 4 || !areCounts) {
    throw invalid(`Expected tensor '${name}' to have 1 to 4 whole dimensions`, dimensions);
  }
  if ((dimensions[0] ?? 0) % type.blockSize !== 0) {
    throw invalid(
      `Expected the first dimension of tensor '${name}' to be a multiple of ${type.blockSize} for ${type.name}`,
      dimensions[0],
    );
  }
}

async function writeTensor(file: FileHandle, tensor: PlacedTensor): Promise<void> {
  const data = tensor.data();
  let written = 0;
  for await (const piece of data instanceof Uint8Array ? [data] : data) {
    written += piece.byteLength;
    if (written > tensor.byteSize) {
      break;
    }
    await writeAll(file, piece);
  }
  if (written !== tensor.byteSize) {
    const received = written > tensor.byteSize ? 'more' : `${written}`;
    throw invalid(`Expected ${tensor.byteSize} bytes of data for tensor '${tensor.name}'`, received);
  }
}

async function writePadding(file: FileHandle, length: number, alignment: number): Promise<void> {
  await writeAll(file, Buffer.alloc((alignment - (length % alignment)) % alignment));
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let position = 0;
  while (position < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, position);
    position += bytesWritten;
  }
}

/** What a header says about a tensor. */
export interface TensorEntry {
  readonly name: string;
  readonly dimensions: readonly number[];
  readonly tensorType: Pick<TensorType, 'id'>;
  readonly offset: number;
}

/** The bytes of a header, up to and without the padding before the tensor data. */
export function encodeGgufHeader(
  metadata: ReadonlyMap<string, GgufValueInput>,
  tensors: readonly TensorEntry[],
): Buffer {
  const parts: Buffer[] = [
    Buffer.from('GGUF'),
    uint32(3),
    scalar('uint64', tensors.length, 'the number of tensors'),
    scalar('uint64', metadata.size, 'the number of metadata entries'),
  ];
  for (const [key, entry] of metadata) {
    parts.push(text(key), uint32(ggufValueTypes.indexOf(entry.type)));
    parts.push(entry.type === 'array' ? array(entry, key) : scalar(entry.type, entry.value, key));
  }
  for (const tensor of tensors) {
    parts.push(
      text(tensor.name),
      uint32(tensor.dimensions.length),
      ...tensor.dimensions.map((dimension) => scalar('uint64', dimension, tensor.name)),
      uint32(tensor.tensorType.id),
      scalar('uint64', tensor.offset, tensor.name),
    );
  }
  return Buffer.concat(parts);
}

function array(entry: GgufValueInput & { type: 'array' }, key: string): Buffer {
  const { elementType, value } = entry;
  const start = [uint32(ggufValueTypes.indexOf(elementType)), scalar('uint64', value.length, key)];
  if (ArrayBuffer.isView(value)) {
    return Buffer.concat([...start, Buffer.from(value.buffer, value.byteOffset, value.byteLength)]);
  }
  const elements =
    value instanceof GgufStringArray ? stringElements(value) : scalarElements(value, elementType, key);
  return Buffer.concat([...start, ...elements]);
}

/** Copies the bytes of strings as they are, also where they are not UTF-8. */
function stringElements(values: GgufStringArray): Buffer[] {
  return Array.from({ length: values.length }, (_, index) =>
    lengthPrefixed(values.bytesAt(index) ?? Buffer.alloc(0)),
  );
}

function scalarElements(
  values: readonly (number | bigint | boolean | string)[],
  elementType: GgufElementType,
  key: string,
): Buffer[] {
  return values.map((value) => scalar(elementType, value, key));
}

function scalar(type: Exclude<GgufValueType, 'array'>, value: unknown, what: string): Buffer {
  try {
    return encodeScalar(type, value);
  } catch (error) {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected a value of type ${type} for ${what}, received ${value}.`,
      {
        cause: error,
      },
    );
  }
}

/** Buffer's methods throw for numbers out of range. */
function encodeScalar(type: Exclude<GgufValueType, 'array'>, value: unknown): Buffer {
  if (type === 'string') {
    if (typeof value !== 'string') {
      throw new TypeError('not a string');
    }
    return text(value);
  }
  if (type === 'bool') {
    if (typeof value !== 'boolean') {
      throw new TypeError('not a boolean');
    }
    return Buffer.from([value ? 1 : 0]);
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    throw new TypeError('not a number');
  }
  return encodeNumber(type, value);
}

function encodeNumber(type: GgufNumberType | 'uint64' | 'int64', value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  if (type === 'uint64' || type === 'int64') {
    bytes[type === 'uint64' ? 'writeBigUInt64LE' : 'writeBigInt64LE'](BigInt(value));
    return bytes;
  }
  const number = Number(value);
  if (type !== 'float32' && type !== 'float64' && !Number.isInteger(number)) {
    throw new RangeError('not a whole number');
  }
  const writers = {
    uint8: () => bytes.writeUInt8(number),
    int8: () => bytes.writeInt8(number),
    uint16: () => bytes.writeUInt16LE(number),
    int16: () => bytes.writeInt16LE(number),
    uint32: () => bytes.writeUInt32LE(number),
    int32: () => bytes.writeInt32LE(number),
    float32: () => bytes.writeFloatLE(number),
    float64: () => bytes.writeDoubleLE(number),
  };
  return bytes.subarray(0, writers[type]());
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function text(value: string): Buffer {
  return lengthPrefixed(Buffer.from(value, 'utf8'));
}

function lengthPrefixed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes]);
}

function invalid(expected: string, received: unknown): Error {
  return createError('INVALID_ARGUMENT', `${expected}, received ${JSON.stringify(received)}.`);
}

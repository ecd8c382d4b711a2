import { createError } from '../errors.js';
import { GgufStringArray, stringLengthBytes } from './string-array.js';
import type { TensorType } from './tensor-types.js';
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
  if (value instanceof GgufStringArray) return Buffer.concat([...start, ...stringElements(value)]);
  if (elementType === 'string') return Buffer.concat([...start, encodeStrings(value, key)]);
  return Buffer.concat([...start, ...value.map((element) => scalar(elementType, element, key))]);
}

/** Vocabularies have a hundred thousand strings and more: one buffer for all of them. */
function encodeStrings(values: readonly unknown[], key: string): Buffer {
  let byteCount = 0;
  for (const value of values) {
    if (typeof value !== 'string') throw unfit('string', value, key);
    byteCount += stringLengthBytes + Buffer.byteLength(value);
  }
  const bytes = Buffer.alloc(byteCount);
  let position = 0;
  for (const value of values as readonly string[]) {
    const length = bytes.write(value, position + stringLengthBytes);
    bytes.writeUInt32LE(length, position);
    position += stringLengthBytes + length;
  }
  return bytes;
}

/** Copies the bytes of strings as they are, also where they are not UTF-8: they lie in a file in the very same form. */
function stringElements(values: GgufStringArray): Buffer[] {
  return [values.bytes.subarray(values.extent.start, values.extent.end)];
}

function scalar(type: Exclude<GgufValueType, 'array'>, value: unknown, what: string): Buffer {
  try {
    return encodeScalar(type, value);
  } catch (error) {
    throw unfit(type, value, what, error);
  }
}

function unfit(type: GgufValueType, value: unknown, what: string, cause?: unknown): Error {
  return createError('INVALID_ARGUMENT', `Expected a value of type ${type} for ${what}, received ${value}.`, {
    cause,
  });
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
  const length = Buffer.alloc(stringLengthBytes);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes]);
}

import type { GgufElementType, GgufValue } from './types.js';

/** Types whose values all take the same number of bytes. */
export type FixedSizeType = Exclude<GgufElementType, 'string'>;

/** Bytes of one value of each type. */
export const elementBytes = {
  uint8: 1,
  int8: 1,
  bool: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  uint64: 8,
  int64: 8,
  float64: 8,
} as const satisfies Record<FixedSizeType, number>;

/** The value whose bytes start at `start`. */
export function decodeScalar(type: FixedSizeType, bytes: Buffer, start: number): GgufValue {
  switch (type) {
    case 'uint8':
      return { type, value: bytes.readUInt8(start) };
    case 'int8':
      return { type, value: bytes.readInt8(start) };
    case 'uint16':
      return { type, value: bytes.readUInt16LE(start) };
    case 'int16':
      return { type, value: bytes.readInt16LE(start) };
    case 'uint32':
      return { type, value: bytes.readUInt32LE(start) };
    case 'int32':
      return { type, value: bytes.readInt32LE(start) };
    case 'float32':
      return { type, value: bytes.readFloatLE(start) };
    case 'float64':
      return { type, value: bytes.readDoubleLE(start) };
    case 'bool':
      return { type, value: bytes.readUInt8(start) !== 0 };
    case 'uint64':
      return { type, value: numberIfSafe(bytes.readBigUInt64LE(start)) };
    case 'int64':
      return { type, value: numberIfSafe(bytes.readBigInt64LE(start)) };
  }
}

/** The elements of an array, copied out of its bytes. */
export function decodeElements(elementType: FixedSizeType, bytes: Uint8Array): GgufValue {
  const type = 'array';
  // A copy, because a typed array must start at a multiple of its element size.
  const { buffer } = new Uint8Array(bytes);
  switch (elementType) {
    case 'uint8':
    case 'bool':
      return { type, elementType, value: new Uint8Array(buffer) };
    case 'int8':
      return { type, elementType, value: new Int8Array(buffer) };
    case 'uint16':
      return { type, elementType, value: new Uint16Array(buffer) };
    case 'int16':
      return { type, elementType, value: new Int16Array(buffer) };
    case 'uint32':
      return { type, elementType, value: new Uint32Array(buffer) };
    case 'int32':
      return { type, elementType, value: new Int32Array(buffer) };
    case 'float32':
      return { type, elementType, value: new Float32Array(buffer) };
    case 'float64':
      return { type, elementType, value: new Float64Array(buffer) };
    case 'uint64':
      return { type, elementType, value: new BigUint64Array(buffer) };
    case 'int64':
      return { type, elementType, value: new BigInt64Array(buffer) };
  }
}

function numberIfSafe(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

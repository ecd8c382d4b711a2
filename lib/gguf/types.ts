import type { GgufStringArray } from './string-array.js';

/** Value types of GGUF metadata, in the order of their numbers in a file. Source: `enum gguf_type` in gguf.h. */
export const ggufValueTypes = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'bool',
  'string',
  'array',
  'uint64',
  'int64',
  'float64',
] as const;

/** A value type of GGUF metadata. */
export type GgufValueType = (typeof ggufValueTypes)[number];

/** Number types of up to 32 bits, and 64-bit floats: their values are always a `number`. */
export type GgufNumberType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'float32'
  | 'float64';

/** The elements of each kind of array, in a compact form. */
export interface GgufArrayValues {
  readonly uint8: Uint8Array;
  readonly int8: Int8Array;
  readonly uint16: Uint16Array;
  readonly int16: Int16Array;
  readonly uint32: Uint32Array;
  readonly int32: Int32Array;
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly uint64: BigUint64Array;
  readonly int64: BigInt64Array;
  /** One byte per element; anything but 0 is true. */
  readonly bool: Uint8Array;
  readonly string: GgufStringArray;
}

/** Element types that an array may have; arrays of arrays are not read, as in llama.cpp. */
export type GgufElementType = keyof GgufArrayValues;

/** An array of metadata, such as the tokens of a vocabulary. */
export type GgufArray = {
  [Element in GgufElementType]: {
    readonly type: 'array';
    readonly elementType: Element;
    readonly value: GgufArrayValues[Element];
  };
}[GgufElementType];

/** One metadata value with its type. */
export type GgufValue =
  | { readonly type: GgufNumberType; readonly value: number }
  /** A `bigint` only where the number is too large for a `number`. */
  | { readonly type: 'uint64' | 'int64'; readonly value: number | bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | GgufArray;

/** What a file says about one tensor. */
export interface GgufTensorInfo {
  readonly name: string;
  /** Elements along each dimension, fastest-changing first; 0 to 4 of them. */
  readonly dimensions: readonly number[];
  /** Name of the data type, such as `F32` or `Q4_K`. */
  readonly type: string;
  /** Start of the data in bytes, from {@link GgufHeader.dataOffset}. */
  readonly offset: number;
  /** Length of the data in bytes. */
  readonly byteSize: number;
}

/** Everything in a GGUF file that comes before the tensor data. */
export interface GgufHeader {
  /** Path that was read. */
  readonly path: string;
  /** Size of the file in bytes. */
  readonly fileSize: number;
  /** Version of the format: 2 or 3. */
  readonly version: number;
  /** Metadata by key, in the order of the file. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Tensors in the order of the file. */
  readonly tensors: readonly GgufTensorInfo[];
  /** Bytes to whose multiple each tensor's data is aligned: a power of two, 32 unless the file says otherwise. */
  readonly alignment: number;
  /** Where tensor data starts, in bytes from the start of the file. */
  readonly dataOffset: number;
}

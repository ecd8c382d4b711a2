/**
 * The tensor data types of ggml: how many elements form one block, and how many bytes a block takes.
 * Source: `enum ggml_type` in ggml/include/ggml.h, `type_traits` in ggml/src/ggml.c and the block structs of
 * ggml/src/ggml-common.h of the pinned llama.cpp.
 */

/** One tensor data type. */
export interface TensorType {
  /** Number of the type in a GGUF file. */
  readonly id: number;
  /** Usual name, such as `F16` or `Q4_K`. */
  readonly name: string;
  /** Elements in one block; 1 for types that are not quantized. */
  readonly blockSize: number;
  /** Bytes of one block. */
  readonly blockBytes: number;
}

const rows: readonly (readonly [id: number, name: string, blockSize: number, blockBytes: number])[] = [
  [0, 'F32', 1, 4],
  [1, 'F16', 1, 2],
  [2, 'Q4_0', 32, 18],
  [3, 'Q4_1', 32, 20],
  [6, 'Q5_0', 32, 22],
  [7, 'Q5_1', 32, 24],
  [8, 'Q8_0', 32, 34],
  [9, 'Q8_1', 32, 36],
  [10, 'Q2_K', 256, 84],
  [11, 'Q3_K', 256, 110],
  [12, 'Q4_K', 256, 144],
  [13, 'Q5_K', 256, 176],
  [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [23, 'IQ4_XS', 256, 136],
  [24, 'I8', 1, 1],
  [25, 'I16', 1, 2],
  [26, 'I32', 1, 4],
  [27, 'I64', 1, 8],
  [28, 'F64', 1, 8],
  [29, 'IQ1_M', 256, 56],
  [30, 'BF16', 1, 2],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [39, 'MXFP4', 32, 17],
  [40, 'NVFP4', 64, 36],
  [41, 'Q1_0', 128, 18],
  [42, 'Q2_0', 64, 18],
];

/** All tensor data types that the pinned llama.cpp reads. */
export const tensorTypes: readonly TensorType[] = rows.map(([id, name, blockSize, blockBytes]) => ({
  id,
  name,
  blockSize,
  blockBytes,
}));

const typesById = new Map(tensorTypes.map((type) => [type.id, type]));
const typesByName = new Map(tensorTypes.map((type) => [type.name, type]));

/** Types that existed once; files with them must be made again. */
const removedTypes = new Map([
  [4, 'Q4_2'],
  [5, 'Q4_3'],
  [31, 'Q4_0_4_4'],
  [32, 'Q4_0_4_8'],
  [33, 'Q4_0_8_8'],
  [36, 'IQ4_NL_4_4'],
  [37, 'IQ4_NL_4_8'],
  [38, 'IQ4_NL_8_8'],
]);

/** The type with this number, or undefined when the pinned llama.cpp has none. */
export function tensorTypeById(id: number): TensorType | undefined {
  return typesById.get(id);
}

/** The type with this name (`F16`, `Q4_K`, …), or undefined. */
export function tensorTypeByName(name: string): TensorType | undefined {
  return typesByName.get(name);
}

/** Name of a type that llama.cpp no longer reads, or undefined if the number never was one. */
export function removedTensorTypeName(id: number): string | undefined {
  return removedTypes.get(id);
}

/**
 * Bytes that a tensor takes in a file. The first dimension must be a multiple of the block size.
 * Source: `ggml_row_size` and `ggml_nbytes` in ggml/src/ggml.c.
 */
export function tensorByteSize(type: TensorType, dimensions: readonly number[]): number {
  const elements = dimensions.reduce((product, dimension) => product * dimension, 1);
  return (elements / type.blockSize) * type.blockBytes;
}

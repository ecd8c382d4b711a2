/** A way to store the weights of a whole file. */
export interface QuantizationType {
  readonly name: QuantizationTypeName;
  /** `general.file_type` in the file. Source: `enum llama_ftype` in include/llama.h. */
  readonly fileType: number;
  /** Bits per weight in a model of 8 billion weights (Llama 3); a model with a large vocabulary for its size has more. */
  readonly bitsPerWeight: number;
  /** True where llama.cpp refuses to do without an importance matrix, because the result would be garbage. */
  readonly needsImatrix: boolean;
  /** One sentence for people. */
  readonly description: string;
}

const rows = [
  ['Q4_K_M', 15, 4.89, false, 'the usual choice: small, and hard to tell from the original'],
  ['Q4_K_S', 14, 4.67, false, 'a little smaller than Q4_K_M, a little worse'],
  ['Q5_K_M', 17, 5.7, false, 'where a sixth more memory is there: about half the loss of Q4_K_M'],
  ['Q5_K_S', 16, 5.57, false, 'a little smaller than Q5_K_M'],
  ['Q6_K', 18, 6.56, false, 'close to the original in every measurement'],
  ['Q8_0', 7, 8.5, false, 'as good as the original, at half of its size; fast to make'],
  ['Q3_K_L', 13, 4.3, false, 'the best of three bits, for when four do not fit'],
  ['Q3_K_M', 12, 4.0, false, 'three bits: noticeably worse than four'],
  ['Q3_K_S', 11, 3.64, false, 'three bits, and the loss is easy to see'],
  ['Q2_K', 10, 3.16, false, 'two bits and a half: only to make a large model fit at all'],
  ['Q2_K_S', 21, 2.97, true, 'smaller than Q2_K, and needs an importance matrix'],
  ['IQ4_XS', 30, 4.46, false, 'smaller than Q4_K_S and as good; slower without a GPU'],
  ['IQ4_NL', 25, 4.68, false, 'as Q4_K_S, for models whose rows do not divide by 256'],
  ['IQ3_M', 27, 3.76, false, 'the best of its size with an importance matrix'],
  ['IQ3_S', 26, 3.66, false, 'better than Q3_K_S at its size'],
  ['IQ3_XS', 22, 3.5, true, 'between IQ3_XXS and IQ3_S'],
  ['IQ3_XXS', 23, 3.37, true, 'three bits with an importance matrix; for when a better one does not fit'],
  ['IQ2_M', 29, 2.93, true, 'two bits: a large model that answers, with mistakes'],
  ['IQ2_S', 28, 2.74, true, 'two bits, smaller and worse than IQ2_M'],
  ['IQ2_XS', 20, 2.59, true, 'two bits, only for the largest models'],
  ['IQ2_XXS', 19, 2.38, true, 'two bits, only for the largest models'],
  ['IQ1_M', 31, 2.15, true, 'below two bits: an experiment'],
  ['IQ1_S', 24, 2.0, true, 'the smallest: an experiment'],
  ['Q4_0', 2, 4.64, false, 'the oldest of four bits; fast on processors that repack it, worse than Q4_K_M'],
  ['Q4_1', 3, 5.1, false, 'older than the K types: Q4_K_M is smaller and better'],
  ['Q5_0', 8, 5.57, false, 'older than the K types: Q5_K_S is better at its size'],
  ['Q5_1', 9, 6.04, false, 'older than the K types: Q5_K_M is smaller and better'],
  ['TQ1_0', 36, 2.19, false, 'for models trained with weights of -1, 0 and 1; ruins others'],
  ['TQ2_0', 37, 2.52, false, 'as TQ1_0, larger and faster'],
  [
    'MXFP4_MOE',
    38,
    8.5,
    false,
    'four bits for the experts of a mixture, eight for the rest: what gpt-oss was trained with',
  ],
  ['Q1_0', 40, 1.48, false, 'for models trained with one bit; ruins others'],
  ['Q2_0', 41, 2.68, false, 'for models trained with two bits; ruins others'],
  ['F16', 1, 16, false, 'sixteen bits: no loss that matters, what other types are made from'],
  ['BF16', 32, 16, false, 'sixteen bits with the range of 32: exact for models published as bfloat16'],
  ['F32', 0, 32, false, 'thirty-two bits: twice F16, and rarely worth it'],
  [
    'COPY',
    0,
    16,
    false,
    'keeps every tensor as it is: to prune layers or to join the files of a split model',
  ],
] as const;

/** The name of a way to store a whole file, such as `Q4_K_M`. */
export type QuantizationTypeName = (typeof rows)[number][0];

/** Every type that the llama.cpp inside quantizes to, the most useful first. */
export const quantizationTypes: readonly QuantizationType[] = rows.map(
  ([name, fileType, bitsPerWeight, needsImatrix, description]) => ({
    name,
    fileType,
    bitsPerWeight,
    needsImatrix,
    description,
  }),
);

/** Other names of types, as llama-quantize takes them. */
const aliases: ReadonlyMap<string, QuantizationTypeName> = new Map([
  ['Q3_K', 'Q3_K_M'],
  ['Q4_K', 'Q4_K_M'],
  ['Q5_K', 'Q5_K_M'],
]);

/** The type with a name, in any case; undefined if there is none. */
export function findQuantizationType(name: string): QuantizationType | undefined {
  const upper = name.toUpperCase();
  const wanted = aliases.get(upper) ?? upper;
  return quantizationTypes.find((type) => type.name === wanted);
}

/** Types that single tensors can be quantized to. Source: `ggml_quantize_chunk` in ggml/src/ggml.c. */
export const tensorTypeNames = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q6_K',
  'Q5_K',
  'Q5_1',
  'Q5_0',
  'Q4_K',
  'Q4_1',
  'Q4_0',
  'IQ4_NL',
  'IQ4_XS',
  'Q3_K',
  'IQ3_S',
  'IQ3_XXS',
  'Q2_K',
  'IQ2_S',
  'IQ2_XS',
  'IQ2_XXS',
  'IQ1_M',
  'IQ1_S',
  'TQ1_0',
  'TQ2_0',
  'MXFP4',
  'NVFP4',
  'Q1_0',
  'Q2_0',
] as const;

/** The name of a type of single tensors, such as `Q6_K`. */
export type TensorTypeName = (typeof tensorTypeNames)[number];

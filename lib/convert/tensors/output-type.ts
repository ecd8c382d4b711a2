import { tensorTypeByName } from '../../gguf/tensor-types.js';

/** The type that most tensors of the file get. */
export type ConvertType = 'f32' | 'f16' | 'bf16' | 'q8_0';

/** All of them. */
export const convertTypes: readonly ConvertType[] = ['f32', 'f16', 'bf16', 'q8_0'];

/** Matrices that llama.cpp adds or looks up instead of multiplying with; it wants them as floats. */
const alwaysFloat = new Set(['position_embd.weight', 'token_types.weight']);

/**
 * The type of a tensor in a file of so wanted a type: vectors and norms stay floats, and rows that are no whole number
 * of blocks become F16. Source: `prepare_tensors` in llama.cpp's conversion/base.py.
 */
export function outputType(
  name: string,
  dimensions: readonly number[],
  sourceType: string,
  wanted: ConvertType,
): string {
  const isBlocks = (tensorTypeByName(sourceType)?.blockSize ?? 1) > 1;
  if (isBlocks) return sourceType;
  if (dimensions.length <= 1 || name.endsWith('_norm.weight')) return 'F32';
  if (alwaysFloat.has(name) || !name.endsWith('.weight')) return 'F32';
  if (wanted === 'q8_0' && (dimensions[0] ?? 0) % 32 !== 0) return 'F16';
  return wanted.toUpperCase();
}

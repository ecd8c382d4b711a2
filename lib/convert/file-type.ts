import type { PlannedTensor } from './plan-conversion.js';
import type { ConvertedType } from './types.js';

/** Numbers of `general.file_type`. Source: `enum llama_ftype` in include/llama.h. */
export const fileTypes: Readonly<Record<ConvertedType, number>> = {
  f32: 0,
  f16: 1,
  q4_0: 2,
  q4_1: 3,
  q8_0: 7,
  q5_1: 9,
  q6_k: 18,
  bf16: 32,
};

/** The type of blocks that most bytes of a file are in; `fallback` where none are. */
export function convertedType(tensors: readonly PlannedTensor[], fallback: ConvertedType): ConvertedType {
  const bytesByType = new Map<ConvertedType, number>();
  for (const { type, byteSize } of tensors) {
    const name = type.toLowerCase() as ConvertedType;
    if (type.startsWith('Q')) bytesByType.set(name, (bytesByType.get(name) ?? 0) + byteSize);
  }
  const [largest] = [...bytesByType].sort(([, first], [, second]) => second - first);
  return largest?.[0] ?? fallback;
}

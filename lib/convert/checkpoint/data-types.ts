/**
 * Types of the numbers in a safetensors file, and the bytes that one takes.
 * Source: `Dtype` of the safetensors format (https://github.com/huggingface/safetensors).
 */
const bytesByType = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

/** Type of the numbers in a tensor of a checkpoint, as safetensors writes it. */
export type CheckpointDataType = keyof typeof bytesByType;

/** All of them. */
export const checkpointDataTypes = Object.keys(bytesByType) as readonly CheckpointDataType[];

/** Whether a text is the name of a type. */
export function isCheckpointDataType(name: unknown): name is CheckpointDataType {
  return typeof name === 'string' && Object.hasOwn(bytesByType, name);
}

/** Bytes of one number. */
export function bytesPerElement(type: CheckpointDataType): number {
  return bytesByType[type];
}

/** Values of GGUF metadata, short to write. */
import type { GgufValueInput } from '../../lib/gguf/write.js';

/** A value of type uint32. */
export function uint32(value: number): GgufValueInput {
  return { type: 'uint32', value };
}

/** A value of type string. */
export function text(value: string): GgufValueInput {
  return { type: 'string', value };
}

/** An array of strings. */
export function strings(...value: string[]): GgufValueInput {
  return { type: 'array', elementType: 'string', value };
}

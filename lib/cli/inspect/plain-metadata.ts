import type { GgufValue } from '../../index.js';

/** The metadata as plain values for JSON: arrays, which can be a whole vocabulary, only by their type and length. */
export function plainMetadata(metadata: ReadonlyMap<string, GgufValue>): Record<string, unknown> {
  const plain = ([key, value]: [string, GgufValue]): [string, unknown] => {
    if (value.type === 'array') {
      return [key, { elementType: value.elementType, length: value.value.length }];
    }
    return [key, typeof value.value === 'bigint' ? value.value.toString() : value.value];
  };
  return Object.fromEntries([...metadata].map(plain));
}

import type { TensorToWrite } from './safetensors.js';

/** Numbers that are the same everywhere. Source: mulberry32 of T. Ettinger. */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

/** Random weights between -1 and 1 with small and large magnitudes, of a type of safetensors. */
export function randomTensor(name: string, shape: readonly number[], type: string): TensorToWrite {
  const random = randomNumbers(seedOf(name));
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const bytes = Buffer.alloc(count * (type === 'F32' ? 4 : 2));
  for (let index = 0; index < count; index++) {
    const value = (random() * 2 - 1) * 2 ** Math.floor(random() * -12);
    writeNumber(bytes, index, value, type);
  }
  return { name, type, shape, bytes };
}

function seedOf(name: string): number {
  let seed = 17;
  for (const character of name) seed = (Math.imul(seed, 31) + character.charCodeAt(0)) | 0;
  return seed;
}

/** Halves are cut instead of rounded: any bits will do. */
function writeNumber(bytes: Buffer, index: number, value: number, type: string): void {
  if (type === 'F32') {
    bytes.writeFloatLE(value, index * 4);
    return;
  }
  const single = Buffer.alloc(4);
  single.writeFloatLE(value);
  const bits = single.readUInt32LE();
  if (type === 'BF16') {
    bytes.writeUInt16LE(bits >>> 16, index * 2);
    return;
  }
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  const half = exponent <= 0 ? 0 : (exponent << 10) | ((bits >>> 13) & 0x3ff);
  bytes.writeUInt16LE(((bits >>> 31) << 15) | half, index * 2);
}

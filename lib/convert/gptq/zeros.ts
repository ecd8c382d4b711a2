import type { ZeroFormat } from './settings.js';

/** The zeros of all groups, one by one: [groups, outputs]. */
export function unpackZeros(words: Uint32Array, bits: 4 | 8, format: ZeroFormat): Uint8Array {
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const one = bits === 4 ? 0x11111111 : 0x01010101;
  const zeros = new Uint8Array(words.length * perWord);
  for (let index = 0; index < words.length; index++) {
    const word = (words[index] as number) + (format === 'words-minus-one' ? one : 0);
    for (let part = 0; part < perWord; part++) {
      const stored = (word >>> (part * bits)) & mask;
      zeros[index * perWord + part] = format === 'minus-one' ? (stored + 1) & mask : stored;
    }
  }
  return zeros;
}

/** Whether all zeros are in the middle of the range, as those of symmetric quantization are. */
export function areSymmetric(words: Uint32Array, bits: 4 | 8, format: ZeroFormat): boolean {
  const middle = bits === 4 ? 0x88888888 : 0x80808080;
  const one = bits === 4 ? 0x11111111 : 0x01010101;
  const expected = format === 'plain' ? middle : middle - one;
  return words.every((word) => word === expected);
}

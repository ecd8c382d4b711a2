import type { GgufStringArray } from './string-array.js';

/** Two elements that are the same text. */
export interface Duplicate {
  readonly first: number;
  readonly second: number;
}

/**
 * Finds two equal texts in the bytes of an array, or undefined. Strings of JavaScript would take twenty times the
 * memory of the bytes, and that of a vocabulary would stay in the process as unused heap.
 *
 * A text ends at its first zero byte, as C reads it; an empty one counts as the text that `nameOfEmpty` gives.
 */
export function findDuplicate(
  texts: GgufStringArray,
  nameOfEmpty: (index: number) => string,
): Duplicate | undefined {
  const table = new TextTable(texts);
  const empty: number[] = [];
  for (let index = 0; index < texts.length; index++) {
    const start = texts.startOf(index);
    const end = texts.endOf(index);
    const { bytes } = texts;
    let cut = start;
    while (cut < end && bytes[cut] !== 0) cut++;
    if (cut === start) {
      empty.push(index);
      continue;
    }
    const first = table.add(index, bytes, start, cut);
    if (first !== undefined) return { first, second: index };
  }
  for (const index of empty) {
    const name = Buffer.from(nameOfEmpty(index));
    const other = table.find(name, 0, name.length);
    if (other !== undefined) return { first: Math.min(index, other), second: Math.max(index, other) };
  }
  return undefined;
}

/** A hash table with open addressing over texts that lie in the bytes of an array. */
class TextTable {
  readonly #texts: GgufStringArray;
  /** One more than the index of the text in that place; 0: none. */
  readonly #places: Uint32Array;
  /** Where each text ends before a zero byte. */
  readonly #ends: Uint32Array;

  constructor(texts: GgufStringArray) {
    this.#texts = texts;
    this.#places = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(1, texts.length) * 2)));
    this.#ends = new Uint32Array(texts.length);
  }

  /** Puts a text in, or returns the index of the equal one that is there. */
  add(index: number, bytes: Uint8Array, start: number, end: number): number | undefined {
    const place = this.#placeOf(bytes, start, end);
    const other = this.#places[place] as number;
    if (other !== 0) return other - 1;
    this.#places[place] = index + 1;
    this.#ends[index] = end;
    return undefined;
  }

  find(bytes: Uint8Array, start: number, end: number): number | undefined {
    const other = this.#places[this.#placeOf(bytes, start, end)] as number;
    return other === 0 ? undefined : other - 1;
  }

  /** The place of an equal text, or the free one where it belongs. */
  #placeOf(bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#places.length - 1;
    let place = hash(bytes, start, end) & mask;
    while (
      this.#places[place] !== 0 &&
      !this.#equals((this.#places[place] as number) - 1, bytes, start, end)
    ) {
      place = (place + 1) & mask;
    }
    return place;
  }

  #equals(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const otherStart = this.#texts.startOf(index);
    const length = end - start;
    if ((this.#ends[index] as number) - otherStart !== length) return false;
    const other = this.#texts.bytes;
    for (let offset = 0; offset < length; offset++) {
      if (other[otherStart + offset] !== bytes[start + offset]) return false;
    }
    return true;
  }
}

/** FNV-1a (Fowler, Noll, Vo), its high bits brought down. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let position = start; position < end; position++) {
    value = Math.imul(value ^ (bytes[position] as number), 0x01000193);
  }
  return value ^ (value >>> 15);
}

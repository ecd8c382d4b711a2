/** The bytes of a header; replaced by a longer buffer while more of the file is read. */
export interface ByteHolder {
  bytes: Buffer;
}

/**
 * An array of strings that stays in the bytes of the header until an element is asked for: a vocabulary of 150 000
 * tokens costs two numbers per token, not one string.
 */
export class GgufStringArray implements Iterable<string> {
  readonly #holder: ByteHolder;
  /** For element i: position of its first byte at 2i, position after its last byte at 2i + 1. */
  readonly #bounds: Uint32Array;

  /** @internal */
  constructor(holder: ByteHolder, bounds: Uint32Array) {
    this.#holder = holder;
    this.#bounds = bounds;
  }

  /** Number of strings. */
  get length(): number {
    return this.#bounds.length / 2;
  }

  /** @internal The bytes that hold all elements. */
  get bytes(): Buffer {
    return this.#holder.bytes;
  }

  /** @internal Where the bytes of an element begin and end. */
  boundsAt(index: number): [start: number, end: number] {
    return [this.#bounds[2 * index] as number, this.#bounds[2 * index + 1] as number];
  }

  /** The string at an index from 0; undefined outside the array. Bytes that are not UTF-8 become U+FFFD. */
  at(index: number): string | undefined {
    return this.bytesAt(index)?.toString('utf8');
  }

  /** The bytes of the string at an index, shared with the header; undefined outside the array. */
  bytesAt(index: number): Buffer | undefined {
    const start = this.#bounds[2 * index];
    const end = this.#bounds[2 * index + 1];
    return start === undefined || end === undefined ? undefined : this.#holder.bytes.subarray(start, end);
  }

  /** The bytes of the string at an index as a string of code units 0 to 255: exact and quick to compare. */
  latin1At(index: number): string | undefined {
    const start = this.#bounds[2 * index];
    const end = this.#bounds[2 * index + 1];
    return start === undefined || end === undefined
      ? undefined
      : this.#holder.bytes.toString('latin1', start, end);
  }

  *[Symbol.iterator](): Generator<string, undefined> {
    for (let index = 0; index < this.length; index++) {
      yield this.at(index) ?? '';
    }
  }

  /** All strings, decoded. */
  toArray(): string[] {
    return [...this];
  }
}

/** The bytes of a header; replaced by a longer buffer while more of the file is read. */
export interface ByteHolder {
  bytes: Buffer;
}

/** Where the strings of an array lie in a header: each is a 64-bit length and so many bytes. */
export interface StringExtent {
  readonly count: number;
  /** Where the length of the first one begins. */
  readonly start: number;
  /** Behind the bytes of the last one. */
  readonly end: number;
}

/** What stands before the bytes of a string. */
export const stringLengthBytes = 8;

/**
 * An array of strings that stays in the bytes of the header until an element is asked for. Where each one lies is looked
 * up then, too: who reads metadata rarely wants to know what the 150 000 tokens of a vocabulary are.
 */
export class GgufStringArray implements Iterable<string> {
  readonly #holder: ByteHolder;
  readonly #extent: StringExtent;
  /** Position after the last byte of each element; each begins eight bytes behind the end of the one before. */
  #ends: Uint32Array | undefined;

  /** @internal Of strings whose lengths were checked. */
  constructor(holder: ByteHolder, extent: StringExtent) {
    this.#holder = holder;
    this.#extent = extent;
  }

  /** Number of strings. */
  get length(): number {
    return this.#extent.count;
  }

  /** @internal The bytes that hold all elements. */
  get bytes(): Buffer {
    return this.#holder.bytes;
  }

  /** @internal Where they lie in those bytes. */
  get extent(): StringExtent {
    return this.#extent;
  }

  /** @internal Where the bytes of an element begin. */
  startOf(index: number): number {
    const before = index === 0 ? this.#extent.start : (this.#indexed()[index - 1] as number);
    return before + stringLengthBytes;
  }

  /** @internal Where the bytes of an element end. */
  endOf(index: number): number {
    return this.#indexed()[index] as number;
  }

  /** The string at an index from 0; undefined outside the array. Bytes that are not UTF-8 become U+FFFD. */
  at(index: number): string | undefined {
    return this.bytesAt(index)?.toString('utf8');
  }

  /** The bytes of the string at an index, shared with the header; undefined outside the array. */
  bytesAt(index: number): Buffer | undefined {
    const end = this.#indexed()[index];
    return end === undefined ? undefined : this.#holder.bytes.subarray(this.startOf(index), end);
  }

  /** The bytes of the string at an index as a string of code units 0 to 255: exact and quick to compare. */
  latin1At(index: number): string | undefined {
    const end = this.#indexed()[index];
    return end === undefined ? undefined : this.#holder.bytes.toString('latin1', this.startOf(index), end);
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

  /** The ends of all elements, found when they are needed first. */
  #indexed(): Uint32Array {
    this.#ends ??= findEnds(this.#holder.bytes, this.#extent);
    return this.#ends;
  }
}

function findEnds(bytes: Buffer, { count, start }: StringExtent): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ends = new Uint32Array(count);
  let position = start;
  for (let index = 0; index < count; index++) {
    position += stringLengthBytes + view.getUint32(position, true);
    ends[index] = position;
  }
  return ends;
}

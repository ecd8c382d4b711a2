import { type ByteHolder, type StringExtent, stringLengthBytes } from './string-array.js';

/** Thrown by a cursor when the bytes it was asked for are in the file, but not read yet. */
export class MoreBytesNeeded extends Error {
  /** How many bytes of the file, from its start, must be there. */
  readonly end: number;

  constructor(end: number) {
    super(`The first ${end} bytes are needed`);
    this.end = end;
  }
}

/** Reads little-endian values, one after the other, and never past the end of the file. */
export class ByteCursor {
  readonly holder: ByteHolder;
  readonly fileSize: number;
  readonly #truncated: (needed: number, what: string) => Error;
  #unfinished: StringWalk | undefined;
  position = 0;

  /** `truncated` makes the error for a value that lies past the end of the file. */
  constructor(holder: ByteHolder, fileSize: number, truncated: (needed: number, what: string) => Error) {
    this.holder = holder;
    this.fileSize = fileSize;
    this.#truncated = truncated;
  }

  /** Bytes of the file that are left. */
  get remaining(): number {
    return this.fileSize - this.position;
  }

  /** Steps over `length` bytes and returns where they start. `what` names them in an error. */
  take(length: number, what: string): number {
    const start = this.position;
    const end = start + length;
    if (end > this.fileSize) {
      throw this.#truncated(end, what);
    }
    if (end > this.holder.bytes.length) {
      throw new MoreBytesNeeded(end);
    }
    this.position = end;
    return start;
  }

  /** Demands that `length` more bytes are there, without stepping over them. */
  requireNext(length: number, what: string): void {
    this.position = this.take(length, what);
  }

  uint32(what: string): number {
    const start = this.take(4, what);
    return this.holder.bytes.readUInt32LE(start);
  }

  uint64(what: string): bigint {
    const start = this.take(8, what);
    return this.holder.bytes.readBigUInt64LE(start);
  }

  /** Steps over a string, which is a 64-bit length and so many bytes; returns where the bytes start and end. */
  string(what: string): { start: number; end: number } {
    const length = this.#stringLength(what);
    const start = this.take(length, what);
    return { start, end: this.position };
  }

  /**
   * Steps over `count` strings and returns where they lie. Most of the time that a header takes is spent here, so lengths
   * are looked at in a loop of their own, and what is wrong or not there yet is left to {@link string}. Called again at
   * the same place, with more bytes, it goes on where it had to stop.
   */
  strings(count: number, what: string): StringExtent {
    const start = this.position;
    if (this.#unfinished?.start !== start) this.#unfinished = { start, passed: 0, position: start };
    const walk = this.#unfinished;
    const { bytes } = this.holder;
    const view = new DataView(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, this.fileSize));
    while (walk.passed < count) {
      walkStrings(view, walk, count);
      this.position = walk.position;
      if (walk.passed === count) break;
      this.string(what);
      walk.passed++;
      walk.position = this.position;
    }
    this.#unfinished = undefined;
    return { count, start, end: this.position };
  }

  #stringLength(what: string): number {
    const start = this.take(8, what);
    const { bytes } = this.holder;
    return bytes.readUInt32LE(start) + bytes.readUInt32LE(start + 4) * 2 ** 32;
  }
}

/** How far the strings of an array were walked over. */
interface StringWalk {
  /** Where the first one begins. */
  readonly start: number;
  passed: number;
  /** Where the next one begins. */
  position: number;
}

/**
 * Walks on to the end of the array, or to the first string that is not wholly there. A loop without calls and branches
 * of other kinds: it is compiled while it runs for the first time, and begins again if it meets what it never met.
 */
function walkStrings(view: DataView, walk: StringWalk, count: number): void {
  const last = view.byteLength - stringLengthBytes;
  let { passed, position } = walk;
  while (passed < count && position <= last) {
    const length = view.getUint32(position, true);
    if (length > last - position || view.getUint32(position + 4, true) !== 0) break;
    position += stringLengthBytes + length;
    passed++;
  }
  walk.passed = passed;
  walk.position = position;
}

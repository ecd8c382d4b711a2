import type { ByteHolder } from './string-array.js';

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
   * Steps over `count` strings; returns start and end of each. Most of the time that a header takes is spent here, so the
   * loop looks at the bytes itself, and leaves what is wrong or not there yet to {@link string}.
   */
  strings(count: number, what: string): Uint32Array {
    const { bytes } = this.holder;
    const available = Math.min(bytes.length, this.fileSize);
    const bounds = new Uint32Array(2 * count);
    let position = this.position;
    for (let index = 0; index < 2 * count; index += 2) {
      const start = position + 8;
      const end = start + lowWordAt(bytes, position);
      if (end > available || bytes[position + 3] !== 0 || highWordAt(bytes, position) !== 0) {
        this.position = position;
        const bound = this.string(what);
        bounds[index] = bound.start;
        bounds[index + 1] = bound.end;
        position = bound.end;
        continue;
      }
      bounds[index] = start;
      bounds[index + 1] = end;
      position = end;
    }
    this.position = position;
    return bounds;
  }

  #stringLength(what: string): number {
    const start = this.take(8, what);
    const { bytes } = this.holder;
    return bytes.readUInt32LE(start) + bytes.readUInt32LE(start + 4) * 2 ** 32;
  }
}

/** The lower 24 bits of a little-endian number: for longer strings the rest is looked at apart. */
function lowWordAt(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position] as number) |
    ((bytes[position + 1] as number) << 8) |
    ((bytes[position + 2] as number) << 16)
  );
}

function highWordAt(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position + 4] as number) |
    (bytes[position + 5] as number) |
    (bytes[position + 6] as number) |
    (bytes[position + 7] as number)
  );
}

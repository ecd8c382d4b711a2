import type { ByteSource } from './byte-source.js';
import type { ByteHolder } from './string-array.js';

/** How many times as much as what has arrived may be read next, and may be allocated. */
const growth = 4;
/** Headers up to so long are copied out of the memory that they were read into, which is much larger. */
const shortHeaderBytes = 256 * 1024;

/** Bytes that are being read while others are parsed. */
interface PendingRead {
  /** How many bytes are there when it is done. */
  readonly length: number;
  readonly done: Promise<void>;
}

/**
 * The beginning of a source, as far as it was read. It grows in place while there is room, since the first touch of
 * memory takes longer than reading from the system's cache.
 */
export class GrowingBytes implements ByteHolder {
  bytes = Buffer.alloc(0);
  readonly #source: ByteSource;
  readonly #mostBytes: number;
  #room = Buffer.alloc(0);
  #pending: PendingRead | undefined;

  /** Of which no more than `mostBytes` are ever wanted. */
  constructor(source: ByteSource, mostBytes: number) {
    this.#source = source;
    this.#mostBytes = Math.min(source.sizeBytes, mostBytes);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Reads on towards the first `length` bytes; of many, only some come at a time. */
  async extendTo(length: number): Promise<void> {
    const pending = this.#pending ?? this.#begin(length);
    this.#pending = undefined;
    await pending.done;
    this.bytes = this.#room.subarray(0, pending.length);
  }

  /** Begins to read the next bytes, where there is room for them. */
  readAhead(byteCount: number): void {
    const length = Math.min(this.length + byteCount, this.#mostBytes);
    if (this.#pending !== undefined || length <= this.length || length > this.#room.length) return;
    this.#pending = this.#begin(length);
    this.#pending.done.catch(() => {}); // told to whoever needs these bytes, if anybody does
  }

  /** Waits until nothing is read any more. */
  async settle(): Promise<void> {
    await this.#pending?.done.catch(() => {});
  }

  /** Keeps the header alone where it is short. */
  release(headerBytes: number): void {
    if (headerBytes <= shortHeaderBytes) this.bytes = Buffer.from(this.bytes.subarray(0, headerBytes));
    this.#room = this.bytes;
  }

  #begin(wanted: number): PendingRead {
    const { firstReadBytes, roomBytes = firstReadBytes } = this.#source;
    const filled = this.length;
    const length = Math.min(wanted, filled === 0 ? firstReadBytes : growth * filled);
    if (this.#room.length < length) {
      const most = filled === 0 ? Math.max(roomBytes, length) : growth * filled;
      const room = Buffer.allocUnsafeSlow(Math.min(most, this.#mostBytes));
      this.bytes.copy(room);
      this.#room = room;
    }
    return { length, done: this.#source.readInto(this.#room.subarray(filled, length), filled) };
  }
}

import type { FileHandle } from 'node:fs/promises';

/** So much is worth a call; files that are smaller are flushed once, at their end. */
const intervalBytes = 64 << 20;

/**
 * Has the system bring a file to the disk while it is still written, so that flushing it at its end, which takes as long
 * as the disk does, is short then. One flush at a time, which takes one thread of libuv's, as the last one would.
 */
export class EarlyFlush {
  readonly #file: FileHandle;
  #waitingBytes = 0;
  #isFlushing = false;
  #flushed: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Notes that so many bytes were written. @throws what a flush failed with: the system tells that only once. */
  advance(byteCount: number): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#waitingBytes += byteCount;
    if (this.#isFlushing || this.#waitingBytes < intervalBytes) return;
    this.#waitingBytes = 0;
    this.#isFlushing = true;
    this.#flushed = this.#flush();
  }

  /** Waits for what was begun, so that the file can be closed. */
  async settle(): Promise<void> {
    await this.#flushed;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #flush(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (error) {
      this.#failure = { error };
    }
    this.#isFlushing = false;
  }
}

import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from './abort.js';

const blockBytes = 256 << 10;

/**
 * The hash of a file while it grows. Bytes that come in order are hashed as they come; those that several connections
 * wrote ahead are read back when what lies before them is there. So at the end little is left to verify.
 */
export class FollowingDigest {
  readonly #handle: FileHandle;
  readonly #newHash: () => Hash;
  #hash: Hash;
  #hashedBytes = 0;
  /** How far the file is whole. */
  #limit = 0;
  #catchingUp: Promise<void> | undefined;
  #failure: unknown;

  constructor(handle: FileHandle, newHash: () => Hash) {
    this.#handle = handle;
    this.#newHash = newHash;
    this.#hash = newHash();
  }

  /** Tells of bytes just written at an offset, and how far the file is whole with them. */
  add(chunk: Uint8Array, offset: number, limit: number): void {
    if (this.#catchingUp === undefined && offset === this.#hashedBytes) {
      this.#hash.update(chunk);
      this.#hashedBytes += chunk.length;
    }
    this.advance(limit);
  }

  /** Hashes what is in the file up to here, in the background. */
  advance(limit: number): void {
    this.#limit = limit;
    if (this.#hashedBytes >= limit || this.#failure !== undefined) return;
    this.#catchingUp ??= this.#catchUp().then(
      () => {
        this.#catchingUp = undefined;
        // More may have come after the last look.
        this.advance(this.#limit);
      },
      (error: unknown) => {
        this.#catchingUp = undefined;
        this.#failure = error;
      },
    );
  }

  async #catchUp(): Promise<void> {
    const block = Buffer.allocUnsafe(blockBytes);
    while (this.#hashedBytes < this.#limit) {
      const wanted = Math.min(blockBytes, this.#limit - this.#hashedBytes);
      const { bytesRead } = await this.#handle.read(block, 0, wanted, this.#hashedBytes);
      if (bytesRead === 0) throw new Error('the partial file became shorter while it was hashed');
      this.#hash.update(block.subarray(0, bytesRead));
      this.#hashedBytes += bytesRead;
    }
  }

  /** Begins again with an empty file. */
  async reset(): Promise<void> {
    this.#limit = 0;
    await this.settle();
    this.#hash = this.#newHash();
    this.#hashedBytes = 0;
    this.#failure = undefined;
  }

  /** Stops reading; the file may be closed afterwards. */
  async settle(): Promise<void> {
    this.#limit = Math.min(this.#limit, this.#hashedBytes);
    await this.#catchingUp;
  }

  /** The hash of all bytes up to the limit, in lower-case hex. */
  async finish(signal: AbortSignal | undefined): Promise<string> {
    while (this.#catchingUp !== undefined) {
      throwIfAborted(signal);
      await Promise.race([this.#catchingUp, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#hash.copy().digest('hex');
  }
}

import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfAborted } from './abort.js';
import { type Digest, startDigest } from './digest.js';

/** A download that is not complete: a file beside its destination, and the hash of what it holds so far. */
export class PartialFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #newHash: () => Hash;
  #hash: Hash;
  #sizeBytes = 0;

  private constructor(path: string, handle: FileHandle, newHash: () => Hash) {
    this.path = path;
    this.#handle = handle;
    this.#newHash = newHash;
    this.#hash = newHash();
  }

  /** Opens what an earlier download left, and hashes it; or makes an empty one. */
  static async open(
    path: string,
    expected: { digest: Digest | undefined; sizeBytes: number | undefined },
    signal?: AbortSignal,
  ): Promise<PartialFile> {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, 'a+');
    await handle.close();
    const partial = new PartialFile(path, await open(path, 'r+'), () =>
      startDigest(expected.digest, expected.sizeBytes),
    );
    try {
      await partial.#hashExisting(signal);
    } catch (error) {
      await partial.close();
      throw error;
    }
    return partial;
  }

  /** Size of the partial file at a path; 0 when there is none. */
  static async sizeAt(path: string): Promise<number> {
    return (await stat(path).catch(() => undefined))?.size ?? 0;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async #hashExisting(signal: AbortSignal | undefined): Promise<void> {
    if ((await this.#handle.stat()).size === 0) return;
    const bytes: AsyncIterable<Buffer> = createReadStream(this.path, { highWaterMark: 1 << 20 });
    for await (const chunk of bytes) {
      throwIfAborted(signal);
      this.#hash.update(chunk);
      this.#sizeBytes += chunk.length;
    }
  }

  /** Adds bytes at the end. When the disk refuses, what was whole before stays. */
  async append(chunk: Uint8Array): Promise<void> {
    let written = 0;
    try {
      while (written < chunk.length) {
        const left = chunk.length - written;
        written += (await this.#handle.write(chunk, written, left, this.#sizeBytes + written)).bytesWritten;
      }
    } catch (error) {
      this.#advance(chunk.subarray(0, written));
      throw error;
    }
    this.#advance(chunk);
  }

  #advance(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#sizeBytes += chunk.length;
  }

  /** Throws away what was received. */
  async clear(): Promise<void> {
    if (this.#sizeBytes === 0) return;
    await this.#handle.truncate(0);
    this.#sizeBytes = 0;
    this.#hash = this.#newHash();
  }

  /** The hash of all bytes, in lower-case hex. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Closes the file, keeping it. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Closes the file and deletes it. */
  async remove(): Promise<void> {
    await this.#handle.close();
    await rm(this.path, { force: true });
  }

  /** Makes sure that the bytes are on the disk and gives the file its final name, in one step for other readers. */
  async moveTo(destination: string): Promise<void> {
    await this.#handle.datasync();
    await this.#handle.close();
    await rename(this.path, destination);
  }
}

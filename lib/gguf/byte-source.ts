import type { FileHandle } from 'node:fs/promises';
import { invalidModel } from './invalid-model.js';

/** Bytes that a header is read from: a file on this machine, or a part of a remote one. */
export interface ByteSource {
  /** What errors call it: a path or an address. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Read first, in one go: what costs little here, and is enough for most headers. */
  readonly firstReadBytes: number;
  /** Fills `target` with the bytes from `start` on, all of them. They are asked for in order. */
  readInto(target: Uint8Array, start: number): Promise<void>;
}

/** A file that is open, and stays open. */
export class FileBytes implements ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  /** A header without a vocabulary of more than 50 000 tokens. */
  readonly firstReadBytes = 2 * 1024 * 1024;
  readonly #file: FileHandle;

  constructor(name: string, file: FileHandle, sizeBytes: number) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.#file = file;
  }

  async readInto(target: Uint8Array, start: number): Promise<void> {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await this.#file.read(target, filled, target.length - filled, start + filled);
      if (bytesRead === 0) {
        throw invalidModel(
          this.name,
          `it became shorter than ${start + target.length} bytes while it was read. Try again.`,
        );
      }
      filled += bytesRead;
    }
  }
}

import type { FileHandle } from 'node:fs/promises';
import { invalidModel } from './invalid-model.js';

/** Bytes that a header is read from: a file on this machine, or a part of a remote one. */
export interface ByteSource {
  /** What errors call it: a path or an address. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Read first, in one go: what costs little here, and is enough for most headers. */
  readonly firstReadBytes: number;
  /**
   * How much is read further where that was not enough; then the next bytes are read while these are parsed. Default: as
   * much as was read already, and nothing ahead, since on a network that counts.
   */
  readonly stepBytes?: number;
  /** Memory to begin with. Default: for what is read first. */
  readonly roomBytes?: number;
  /** Fills `target` with the bytes from `start` on, all of them. They are asked for in order. */
  readInto(target: Uint8Array, start: number): Promise<void>;
}

/** A file that is open, and stays open. */
export class FileBytes implements ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly firstReadBytes = 512 * 1024;
  readonly stepBytes = 1024 * 1024;
  /** A header with a vocabulary of 200 000 tokens. What is never filled is never touched, and takes no memory. */
  readonly roomBytes = 8 * 1024 * 1024;
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

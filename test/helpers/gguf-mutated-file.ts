import { type FileHandle, open } from 'node:fs/promises';
import type { Mutation } from './gguf-mutations.js';
import type { MutationSeed } from './gguf-seeds.js';

/** A file on the disk that takes the shape of one mutation of a seed after the other, with few bytes written. */
export class MutatedFile {
  readonly path: string;
  readonly #seed: MutationSeed;
  readonly #file: FileHandle;
  /** The file equals the seed in [#sameFrom, #sameTo). */
  #sameFrom = 0;
  #sameTo: number;

  private constructor(path: string, seed: MutationSeed, file: FileHandle) {
    this.path = path;
    this.#seed = seed;
    this.#file = file;
    this.#sameTo = seed.bytes.length;
  }

  static async create(path: string, seed: MutationSeed): Promise<MutatedFile> {
    const file = await open(path, 'w');
    await file.writeFile(seed.bytes);
    return new MutatedFile(path, seed, file);
  }

  /** Writes the mutation's header over the seed's, restores the rest, and sets the size. */
  async apply({ header, fileSize }: Mutation): Promise<void> {
    const { bytes } = this.#seed;
    await this.#restore(header.length, Math.min(this.#sameFrom, bytes.length));
    await this.#restore(Math.max(this.#sameTo, header.length), Math.min(fileSize, bytes.length));
    await this.#file.write(header, 0, header.length, 0);
    await this.#file.truncate(fileSize);
    this.#sameFrom = header.length;
    this.#sameTo = Math.min(fileSize, bytes.length);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #restore(start: number, end: number): Promise<void> {
    if (end > start) {
      await this.#file.write(this.#seed.bytes, start, end - start, start);
    }
  }
}

import { rm } from 'node:fs/promises';
import { type WholeFile, writeWholeFile } from './write-whole-file.js';

/**
 * As {@link writeWholeFile}, for files that are worth nothing without each other: all are written before the first one
 * moves to its place, and none is left if that fails for one of them.
 *
 * @param write writes to the paths it is given, which stand for `paths` in their order.
 */
export async function writeWholeFiles<Result>(
  paths: readonly string[],
  file: WholeFile,
  write: (temporaryPaths: readonly string[]) => Promise<Result>,
): Promise<Result> {
  return new FileGroup(paths, file, write).write();
}

class FileGroup<Result> {
  readonly #paths: readonly string[];
  readonly #file: WholeFile;
  readonly #write: (temporaryPaths: readonly string[]) => Promise<Result>;
  readonly #temporaryPaths: string[] = [];

  constructor(
    paths: readonly string[],
    file: WholeFile,
    write: (temporaryPaths: readonly string[]) => Promise<Result>,
  ) {
    this.#paths = paths;
    this.#file = file;
    this.#write = write;
  }

  /** Prepares each file inside of the one before, so that the innermost call sees all of them prepared. */
  async write(index = 0): Promise<Result> {
    const path = this.#paths[index];
    if (path === undefined) return this.#write(this.#temporaryPaths);
    const inner = this.#paths.slice(index + 1);
    let areInnerPlaced = false;
    try {
      return await writeWholeFile(path, this.#fileAt(index), async (temporaryPath) => {
        this.#temporaryPaths.push(temporaryPath);
        const result = await this.write(index + 1);
        areInnerPlaced = true;
        return result;
      });
    } catch (error) {
      if (areInnerPlaced) await Promise.all(inner.map((placed) => rm(placed, { force: true })));
      throw error;
    }
  }

  /** Room is needed for all of them, which is looked for once. */
  #fileAt(index: number): WholeFile {
    return index === 0 ? this.#file : { ...this.#file, isRoomSure: true };
  }
}

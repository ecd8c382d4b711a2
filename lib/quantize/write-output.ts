import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { type WholeFile, writeWholeFile } from '../files/write-whole-file.js';

/** Paths of the files of a split output, as `llama_split_path` in src/llama.cpp makes them. */
export function splitOutputPaths(output: string, count: number): string[] {
  const prefix = splitPrefix(output);
  const pad = (number: number) => String(number).padStart(5, '0');
  return Array.from({ length: count }, (_, index) => `${prefix}-${pad(index + 1)}-of-${pad(count)}.gguf`);
}

function splitPrefix(output: string): string {
  return output.replace(/(-\d{5}-of-\d{5})?\.gguf$/, '');
}

/**
 * Has one file or several written beside their place, and moves them there when all are whole. Of several the first is
 * moved last: without it, the others are no model.
 *
 * @param write writes to the path it is given; with several files, it puts their numbers behind that.
 * @returns the paths that were written.
 */
export async function writeOutput(
  output: string,
  count: number,
  file: WholeFile,
  write: (temporaryPath: string) => Promise<void>,
): Promise<string[]> {
  if (count === 1) {
    await writeWholeFile(output, file, write);
    return [output];
  }
  const [first = output, ...others] = splitOutputPaths(output, count);
  // One call of writeWholeFile for each file, inside of each other: the innermost has them all written, and each moves
  // its own on the way out.
  const folder = join(dirname(first), `.${basename(first)}.${process.pid}.parts`);
  const parts = splitOutputPaths(join(folder, 'part.gguf'), count);
  const moveFrom = async (index: number, target: string) => {
    const part = parts[index];
    if (part !== undefined) await rename(part, target);
  };
  const writeParts = async () => {
    try {
      await makeDirectory(folder);
      await write(join(folder, 'part'));
    } catch (error) {
      // Before the error is explained, with the room that is left.
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  };
  const writeFrom = async (index: number): Promise<void> => {
    const path = others[index];
    if (path === undefined) return writeParts();
    await writeWholeFile(path, { ...file, isRoomSure: true }, async (temporaryPath) => {
      await writeFrom(index + 1);
      await moveFrom(index + 1, temporaryPath);
    });
  };
  try {
    await writeWholeFile(first, file, async (temporaryPath) => {
      await writeFrom(0);
      await moveFrom(0, temporaryPath);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return [first, ...others];
}

/** The size of files together, in bytes. */
export async function sizeOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

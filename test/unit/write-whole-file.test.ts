import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWholeFile } from '../../lib/files/write-whole-file.js';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-whole-'));
  path = join(directory, 'out.bin');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const write = (temporaryPath: string) => writeFile(temporaryPath, 'whole');

describe('a file that is written whole', () => {
  it('is at its place, alone, and its folder is made', async () => {
    const nested = join(directory, 'a', 'b', 'out.bin');
    expect(
      await writeWholeFile(nested, {}, async (name) => {
        await write(name);
        return 7;
      }),
    ).toBe(7);
    expect(await readFile(nested, 'utf8')).toBe('whole');
    expect(await readdir(join(directory, 'a', 'b'))).toEqual(['out.bin']);
  });

  it('leaves nothing when its writer fails, and the old one as it was', async () => {
    await writeFile(path, 'old');
    const failing = writeWholeFile(path, { overwrite: true }, async (name) => {
      await write(name);
      throw new Error('no more');
    });
    await expect(failing).rejects.toThrow('no more');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(directory)).toEqual(['out.bin']);
  });

  it('is not moved to its place when the call was cancelled meanwhile', async () => {
    const controller = new AbortController();
    const cancelled = writeWholeFile(path, { signal: controller.signal }, async (name) => {
      await write(name);
      controller.abort();
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await readdir(directory)).toEqual([]);
  });

  it('replaces another only when asked to', async () => {
    await writeFile(path, 'old');
    await expect(writeWholeFile(path, {}, write)).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    await writeWholeFile(path, { overwrite: true }, write);
    expect(await readFile(path, 'utf8')).toBe('whole');
  });

  it('is never one of those it is made from, by whatever name', async () => {
    await writeFile(path, 'input');
    const link = join(directory, 'link.bin');
    await symlink(path, link);
    const file = { inputs: [path], overwrite: true };
    await expect(writeWholeFile(link, file, write)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await readFile(path, 'utf8')).toBe('input');
  });

  it('is refused before it is written where it has no room', async () => {
    let written = false;
    const large = writeWholeFile(path, { neededBytes: 1e18 }, async () => {
      written = true;
    });
    await expect(large).rejects.toMatchObject({ code: 'DISK_FULL', details: { neededBytes: 1e18 } });
    expect(written).toBe(false);
  });

  it('removes what a process that is gone left of it, and nothing else', async () => {
    const leftover = '.out.bin.4194304-0123abcd.partial'; // larger than any process number
    const others = [
      `.out.bin.${process.pid}-0123abcd.partial`,
      '.out.bin.notes.partial',
      '.other.bin.1-0.partial',
    ];
    for (const name of [leftover, ...others]) await writeFile(join(directory, name), '');
    await writeWholeFile(path, {}, write);
    expect((await readdir(directory)).sort()).toEqual([...others, 'out.bin'].sort());
  });

  it.each([
    ['', 'INVALID_ARGUMENT'],
    ['a\0b', 'INVALID_ARGUMENT'],
  ])('refuses the path %j', async (name, code) => {
    await expect(writeWholeFile(name, {}, write)).rejects.toMatchObject({ code });
  });

  it('is refused where a folder is, and below a file', async () => {
    await mkdir(path);
    await expect(writeWholeFile(path, {}, write)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await writeFile(join(directory, 'file'), '');
    const below = join(directory, 'file', 'out.bin');
    await expect(writeWholeFile(below, {}, write)).rejects.toMatchObject({ code: 'FILE_ACCESS_FAILED' });
  });

  it('says that the disk became full', async () => {
    const full = writeWholeFile(path, {}, () =>
      Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })),
    );
    await expect(full).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});

import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeDirectory } from '../../lib/files/make-directory.js';
import { temporaryDirectory } from '../helpers/hub-fixtures.js';

describe('makeDirectory', () => {
  it('makes a folder and those above it, and leaves one that is there with what is in it', async () => {
    const parent = await temporaryDirectory();
    const path = join(parent, 'a', '模型', 'c');
    await makeDirectory(path);
    expect((await stat(path)).isDirectory()).toBe(true);
    await writeFile(join(path, 'file'), '');
    await makeDirectory(path);
    await makeDirectory(join(parent, 'a'));
    expect(await readdir(path)).toEqual(['file']);
  });

  it('makes one folder for many callers at a time', async () => {
    const path = join(await temporaryDirectory(), 'a', 'b', 'c', 'd');
    await Promise.all(Array.from({ length: 20 }, () => makeDirectory(path)));
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it('goes through a link to a folder', async () => {
    const parent = await temporaryDirectory();
    await mkdir(join(parent, 'real'));
    await symlink(join(parent, 'real'), join(parent, 'link'));
    await makeDirectory(join(parent, 'link', 'a'));
    await makeDirectory(join(parent, 'link'));
    expect(await readdir(join(parent, 'real'))).toEqual(['a']);
  });

  it.each(['link', 'link/below', 'link/far/below'])(
    'fails below a link that leads nowhere: %s',
    async (name) => {
      const parent = await temporaryDirectory();
      await symlink(join(parent, 'gone'), join(parent, 'link'));
      await expect(makeDirectory(join(parent, name))).rejects.toMatchObject({
        code: 'ENOTDIR',
        syscall: 'mkdir',
      });
      expect(await readdir(parent)).toEqual(['link']);
    },
  );

  it('fails where a file is, and below one', async () => {
    const file = join(await temporaryDirectory(), 'file');
    await writeFile(file, '');
    await expect(makeDirectory(file)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(file, 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  // Elsewhere there is no file system that says that a folder is not there while it is.
  it.skipIf(process.platform !== 'linux')('fails in /proc, where Node.js tries for ever', async () => {
    await expect(makeDirectory('/proc/llama-native')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(makeDirectory('/proc/llama-native/a/b')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

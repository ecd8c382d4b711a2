import { lstat, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it; one that is there already is left as it is.
 *
 * Node.js's own `mkdir` with `recursive` never ends where a folder is there but nothing can be made in it and the
 * system says that it is not found: below a link to a disk that is not mounted, and in /proc. On a full disk it says
 * ENOENT instead of ENOSPC.
 */
export async function makeDirectory(path: string): Promise<void> {
  await make(resolve(path));
}

async function make(path: string): Promise<void> {
  const failure = await tryToMake(path);
  if (failure === undefined) return;
  const parent = dirname(path);
  if (failure.code !== 'ENOENT' || parent === path) throw failure;
  await make(parent);
  // The folder above is there now, so a second refusal is final.
  const secondFailure = await tryToMake(path);
  if (secondFailure !== undefined) throw secondFailure;
}

async function tryToMake(path: string): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(path);
    return undefined;
  } catch (error) {
    // Some systems name the missing right, or that the disk is read-only, before they see that the folder is there.
    if (await isDirectory(path)) return undefined;
    return (await isLink(path)) ? leadsNowhere(path, error) : (error as NodeJS.ErrnoException);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true;
}

/** The system says that the name is taken, which is true and does not help. */
function leadsNowhere(path: string, cause: unknown): NodeJS.ErrnoException {
  const error = new Error(`${path} is a link, and the folder that it leads to is not there`, { cause });
  return Object.assign(error, { code: 'ENOTDIR', syscall: 'mkdir', path });
}

import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { isCommit } from './cache-layout.js';

/** A file that a snapshot of a repository names. */
export interface SnapshotFile {
  /** In the repository, with `/`. */
  readonly path: string;
  readonly fullPath: string;
  /** Where the bytes are: the blob, or the file itself where links are not allowed. */
  readonly realPath: string;
  readonly sizeBytes: number;
  readonly lastModified: Date;
}

/**
 * All files of a snapshot, in folders too; @huggingface/hub's `scanCacheDir` leaves folders out, and gives up on
 * repositories without `refs`. Links that lead nowhere are left out.
 */
export async function listSnapshotFiles(directory: string): Promise<SnapshotFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: SnapshotFile[] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const fullPath = join(entry.parentPath, entry.name);
    const info = await stat(fullPath).catch(() => undefined);
    if (!info?.isFile()) continue;
    files.push({
      path: relative(directory, fullPath).split(sep).join('/'),
      fullPath,
      realPath: await realpath(fullPath),
      sizeBytes: info.size,
      lastModified: info.mtime,
    });
  }
  return files;
}

/** The commits that a cached repository has snapshots of. */
export async function listSnapshots(repositoryDirectory: string): Promise<string[]> {
  const names = await readdir(join(repositoryDirectory, 'snapshots')).catch(() => []);
  return names.filter(isCommit);
}

/** The branches and tags that a cached repository knows, with the commits they stood for, and their files. */
export async function listReferences(
  repositoryDirectory: string,
): Promise<{ name: string; commit: string; path: string }[]> {
  const directory = join(repositoryDirectory, 'refs');
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const references = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const commit = (await readFile(path, 'utf8')).trim();
    references.push({ name: relative(directory, path).split(sep).join('/'), commit, path });
  }
  return references;
}

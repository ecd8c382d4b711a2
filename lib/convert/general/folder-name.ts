import { basename, dirname, resolve } from 'node:path';

/** Name of the folder of a model; in the cache of the hub, whose folders are called by commits, `owner/repo`. */
export function modelFolderName(folder: string): string {
  const path = resolve(folder);
  const snapshots = dirname(path);
  const [, owner, repository] = /^models--(.+?)--(.+)$/.exec(basename(dirname(snapshots))) ?? [];
  return basename(snapshots) === 'snapshots' && owner !== undefined
    ? `${owner}/${repository}`
    : basename(path);
}

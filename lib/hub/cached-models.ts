import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { createError, LlamaNativeError } from '../errors.js';
import { isCommit, RepositoryCache } from './cache-layout.js';
import { listConverted } from './converted-cache.js';
import { isLocked } from './lock.js';
import { hasQuantization, partsOf } from './quantization.js';
import { defaultTuning, resolveCacheDirectory } from './settings.js';
import { listReferences, listSnapshotFiles, listSnapshots } from './snapshot.js';
import { formatHubSource, isRepositoryName, parseModelSource } from './source.js';
import type { CachedModel, CacheOptions, HubSource } from './types.js';
import { isUrlFolder, listUrlRecords } from './url-cache.js';

/** A cached file with what is needed to delete it. */
interface Entry extends CachedModel {
  /** Where the bytes are. */
  readonly realPath: string;
  /** The folder that belongs to this repository or address alone. */
  readonly home: string;
}

/** All GGUF files in the cache, those that other tools put there included, ordered by repository and file. */
export async function listCachedModels(options: CacheOptions = {}): Promise<CachedModel[]> {
  const entries = await listEntries(resolveCacheDirectory(options.cacheDirectory));
  return entries.map(({ realPath: _, home: __, ...model }) => model);
}

async function listEntries(cacheDirectory: string): Promise<Entry[]> {
  const entries = [
    ...(await listHubEntries(cacheDirectory)),
    ...(await listUrlEntries(cacheDirectory)),
    ...(await listConvertedEntries(cacheDirectory)),
  ];
  const key = (entry: Entry) => `${entry.repository}\n${entry.file}\n${entry.revision}`;
  return entries.sort((left, right) => (key(left) < key(right) ? -1 : 1));
}

async function listHubEntries(cacheDirectory: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const folder of await readdir(cacheDirectory).catch(() => [])) {
    const [type, ...names] = folder.split('--');
    const repository = names.join('/');
    if (type !== 'models' || !isRepositoryName(repository)) continue;
    const home = join(cacheDirectory, folder);
    for (const commit of await listSnapshots(home)) {
      for (const { path, fullPath, ...file } of await listSnapshotFiles(join(home, 'snapshots', commit))) {
        if (!/\.gguf$/i.test(path)) continue;
        const source = formatHubSource({ kind: 'hub', repository, revision: commit, file: path });
        entries.push({ source, repository, revision: commit, file: path, path: fullPath, home, ...file });
      }
    }
  }
  return entries;
}

async function listUrlEntries(cacheDirectory: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const { directory, url, version, etag, files } of await listUrlRecords(cacheDirectory)) {
    for (const file of files) {
      const path = join(directory, 'snapshots', version, file);
      const info = await stat(path).catch(() => undefined);
      if (!info?.isFile()) continue;
      const { size: sizeBytes, mtime: lastModified } = info;
      const place = { path, realPath: path, home: directory };
      entries.push({ source: url, repository: url, revision: etag, file, sizeBytes, lastModified, ...place });
    }
  }
  return entries;
}

async function listConvertedEntries(cacheDirectory: string): Promise<Entry[]> {
  const models = await listConverted(cacheDirectory);
  return models.map(({ source: repository, revision, file, path, directory, sizeBytes, lastModified }) => {
    const others = models.filter((other) => other.source === repository && other.revision === revision);
    // A checkpoint that was converted in several ways does not tell which one is meant.
    const source = others.length > 1 ? path : checkpointName(repository, revision);
    const place = { path, realPath: path, home: directory };
    return { source, repository, revision, file, sizeBytes, lastModified, ...place };
  });
}

function checkpointName(repository: string, revision: string): string {
  return revision === '' ? repository : formatHubSource({ kind: 'hub', repository, revision });
}

/**
 * Deletes a model from the cache. Bytes that another name in the cache uses stay.
 *
 * @param name as for `loadModel`: `hf:owner/repo` (or just `owner/repo`) for all of a repository's GGUF files, with a
 *   revision, file or quantization for some; a URL; or a path in the cache.
 * @returns the bytes that became free.
 * @throws `MODEL_NOT_FOUND` when the cache has no such model; `SOURCE_INVALID`; `FILE_ACCESS_FAILED` where nothing may be
 *   deleted.
 */
export async function removeCachedModel(name: string, options: CacheOptions = {}): Promise<number> {
  const cacheDirectory = resolveCacheDirectory(options.cacheDirectory);
  const source = parseModelSource(isRepositoryName(name) ? `hf:${name}` : name);
  return removeModel(name, source, cacheDirectory).catch((error: unknown) => {
    throw explainRemoval(error, name, cacheDirectory);
  });
}

function explainRemoval(error: unknown, name: string, cacheDirectory: string): unknown {
  if (LlamaNativeError.isInstance(error) || !(error instanceof Error) || !('syscall' in error)) return error;
  return createError(
    'FILE_ACCESS_FAILED',
    `${name} could not be removed from the cache ${cacheDirectory}: ${error.message}. Correct the permissions of the ` +
      'folder, or remove it as the user who owns it.',
    { cause: error, details: { cacheDirectory } },
  );
}

async function removeModel(
  name: string,
  source: ReturnType<typeof parseModelSource>,
  cacheDirectory: string,
): Promise<number> {
  const entries = await listEntries(cacheDirectory);
  const matches = await selectEntries(entries, source, cacheDirectory);
  const homes = new Set(matches.map((entry) => entry.home));
  let freedBytes = 0;
  for (const entry of matches) freedBytes += await removeEntry(entry, entries);
  if (source.kind === 'hub' && (source.file ?? source.quantization ?? source.revision) === undefined) {
    const cache = new RepositoryCache(cacheDirectory, source.repository);
    freedBytes += await removePartials(cache);
    homes.add(cache.directory);
  }
  if (matches.length === 0 && freedBytes === 0) throw notFound(name, entries, cacheDirectory);
  for (const home of homes) await tidy(home);
  return freedBytes;
}

async function selectEntries(
  entries: readonly Entry[],
  source: ReturnType<typeof parseModelSource>,
  cacheDirectory: string,
): Promise<Entry[]> {
  if (source.kind === 'hub') return selectHubEntries(entries, source, cacheDirectory);
  if (source.kind === 'file')
    return entries.filter((entry) => entry.path === source.path || entry.repository === source.path);
  return entries.filter((entry) => entry.repository === source.url);
}

async function selectHubEntries(
  entries: readonly Entry[],
  { repository, revision, file, quantization }: HubSource,
  cacheDirectory: string,
): Promise<Entry[]> {
  const commit =
    revision === undefined
      ? undefined
      : ((await new RepositoryCache(cacheDirectory, repository).knownCommit(revision)) ?? revision);
  return entries.filter(
    (entry) =>
      entry.repository === repository &&
      (commit === undefined || entry.revision === commit) &&
      (file === undefined || partsOf(file).includes(entry.file)) &&
      (quantization === undefined || hasQuantization(entry.file, quantization)),
  );
}

function notFound(name: string, entries: readonly Entry[], cacheDirectory: string) {
  const there = entries.map((entry) => `\n  ${entry.repository}  ${entry.file}`).join('');
  return createError(
    'MODEL_NOT_FOUND',
    `The cache ${cacheDirectory} has no model '${name}'. ${there === '' ? 'It is empty.' : `It has:${there}`}`,
    { details: { cacheDirectory } },
  );
}

/** Deletes one name, and its bytes when no other name leads to them. */
async function removeEntry(entry: Entry, entries: readonly Entry[]): Promise<number> {
  await rm(entry.path, { force: true });
  if (entry.realPath === entry.path) return entry.sizeBytes;
  if (!entry.realPath.startsWith(join(entry.home, 'blobs') + sep)) return 0;
  for (const other of entries) {
    const isOther = other.realPath === entry.realPath && other.path !== entry.path;
    if (isOther && (await stat(other.path).catch(() => undefined)) !== undefined) return 0;
  }
  await rm(entry.realPath, { force: true });
  return entry.sizeBytes;
}

/** Deletes what cut downloads left, unless they are going on at this moment. */
async function removePartials(cache: RepositoryCache): Promise<number> {
  let freedBytes = 0;
  const blobs = join(cache.directory, 'blobs');
  for (const name of await readdir(blobs).catch(() => [])) {
    const [, etag] = /^(.+?)(?:\.[\w-]+)?\.(?:incomplete|ranges)$/.exec(name) ?? [];
    if (etag === undefined || (await isLocked(cache.lockPath(etag), defaultTuning))) continue;
    const path = join(blobs, name);
    freedBytes += (await stat(path)).size;
    await rm(path, { force: true });
  }
  return freedBytes;
}

/** Deletes what is of no use without the files that were there: empty folders, names of commits, lists of files. */
async function tidy(home: string): Promise<void> {
  if (isUrlFolder(home)) return rm(home, { recursive: true, force: true });
  const snapshots = join(home, 'snapshots');
  for (const commit of await listSnapshots(home)) await removeEmptyFolders(join(snapshots, commit));
  const left = new Set(await listSnapshots(home));
  for (const reference of await listReferences(home)) {
    if (!left.has(reference.commit)) await rm(reference.path, { force: true });
  }
  for (const name of await readdir(join(home, '.llama-native')).catch(() => [])) {
    const commit = basename(name, '.json');
    if (isCommit(commit) && !left.has(commit)) await rm(join(home, '.llama-native', name), { force: true });
  }
  await removeEmptyFolders(home);
}

/** Deletes a folder if there is no file below it, and such folders below it otherwise. */
async function removeEmptyFolders(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeEmptyFolders(join(directory, entry.name));
  }
  await rmdir(directory).catch(() => undefined);
}

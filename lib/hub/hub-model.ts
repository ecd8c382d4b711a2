import { stat } from 'node:fs/promises';
import { createError } from '../errors.js';
import { RepositoryCache } from './cache-layout.js';
import { cachedOrFetched } from './cached-or-fetched.js';
import { digestOfEtag } from './digest.js';
import { ensureDiskSpace } from './disk-space.js';
import { fileNotFound } from './hub-errors.js';
import { warnAboutMemory } from './memory-warning.js';
import { PartialFile } from './partial-file.js';
import { ProgressGroup } from './progress.js';
import { chooseFile, isFirstPreference, partsOf } from './quantization.js';
import { fetchCommit, fetchListing, type RepositoryFile, readListing } from './repository.js';
import type { HubSettings } from './settings.js';
import { listSnapshotFiles } from './snapshot.js';
import { fetchFile } from './transfer.js';
import type { HubSource } from './types.js';

/** Local path of the first (or only) file of a hub model, fetched if need be. */
export async function resolveHubModel(source: HubSource, settings: HubSettings): Promise<string> {
  const cache = new RepositoryCache(settings.cacheDirectory, source.repository);
  return cachedOrFetched(source, settings, {
    find: (isFinal) => findCached(cache, source, isFinal),
    fetch: () => fetchModel(cache, source, settings),
  });
}

/**
 * Looks in the cache alone. Without a list of what the repository has, the best of the cached files need not be the
 * best of all, so it is taken only when `isFinal` says that nobody can be asked.
 */
async function findCached(
  cache: RepositoryCache,
  source: HubSource,
  isFinal: boolean,
): Promise<string | undefined> {
  const commit = await cache.knownCommit(source.revision ?? 'main');
  if (commit === undefined) return undefined;
  const listing = await readListing(cache, commit);
  if (listing !== undefined) {
    const chosen = chooseFile(listing, source);
    if (chosen !== undefined && (await isComplete(cache, commit, chosen, listing))) {
      return cache.snapshotPath(commit, chosen);
    }
    if (!isFinal) return undefined;
  }
  const present = await listSnapshotFiles(cache.snapshotDirectory(commit));
  const chosen = chooseFile(present, source);
  if (chosen === undefined || !(await isComplete(cache, commit, chosen))) return undefined;
  const isNamed = source.file !== undefined || source.quantization !== undefined;
  return isFinal || isNamed || isFirstPreference(chosen) ? cache.snapshotPath(commit, chosen) : undefined;
}

async function isComplete(
  cache: RepositoryCache,
  commit: string,
  file: string,
  listing?: readonly RepositoryFile[],
): Promise<boolean> {
  for (const part of partsOf(file)) {
    const entry = listing?.find((candidate) => candidate.path === part);
    if (!(await cache.hasFile(commit, part, entry?.sizeBytes))) return false;
  }
  return true;
}

async function fetchModel(cache: RepositoryCache, source: HubSource, settings: HubSettings): Promise<string> {
  const revision = source.revision ?? 'main';
  const commit = await fetchCommit(source.repository, revision, settings);
  const listing =
    (await readListing(cache, commit)) ?? (await fetchListing(cache, source.repository, commit, settings));
  const chosen = chooseFile(listing, source);
  if (chosen === undefined) throw fileNotFound(source, listing, commit);
  const files = partsOf(chosen).map((path) => {
    const file = listing.find((candidate) => candidate.path === path);
    if (file === undefined) throw missingPart(source, chosen, path);
    return file;
  });
  await warnAboutMemory({ ...source, revision: commit, file: chosen }, files, settings);
  const path = await fetchFiles(cache, source.repository, commit, files, settings);
  await cache.rememberCommit(revision, commit);
  return path;
}

function missingPart(source: HubSource, chosen: string, part: string) {
  return createError(
    'FILE_NOT_IN_REPOSITORY',
    `${source.repository} has ${chosen}, but not ${part}, which belongs to it; the model is not complete there. ` +
      'Choose another file or quantization.',
    { details: { repository: source.repository, file: part } },
  );
}

/** Fetches files of one commit into its snapshot, as far as they are missing. Returns the path of the first. */
export async function fetchFiles(
  cache: RepositoryCache,
  repository: string,
  commit: string,
  files: readonly RepositoryFile[],
  settings: HubSettings,
): Promise<string> {
  const missing: RepositoryFile[] = [];
  for (const file of files) {
    if (!(await cache.hasFile(commit, file.path, file.sizeBytes))) missing.push(file);
  }
  if (missing.length > 0) await cache.prepare(commit);
  if (missing.length > 1) await ensureRoomForAll(cache, missing);
  const group = new ProgressGroup(missing);
  for (const file of missing) await fetchOne(cache, repository, commit, file, settings, group);
  return cache.snapshotPath(commit, files[0]?.path ?? '');
}

/** A model in parts should fail before the first part, not in the middle of the third. */
async function ensureRoomForAll(cache: RepositoryCache, files: readonly RepositoryFile[]): Promise<void> {
  let neededBytes = 0;
  for (const { etag, sizeBytes } of files) {
    const blob = await stat(cache.blobPath(etag)).catch(() => undefined);
    const haveBytes = blob?.size ?? (await PartialFile.receivedAt(cache.partialPath(etag)));
    neededBytes += Math.max(0, sizeBytes - haveBytes);
  }
  await ensureDiskSpace(cache.directory, neededBytes);
}

async function fetchOne(
  cache: RepositoryCache,
  repository: string,
  commit: string,
  file: RepositoryFile,
  settings: HubSettings,
  group: ProgressGroup,
): Promise<void> {
  const { etag, path, sizeBytes } = file;
  const name = path.split('/').map(encodeURIComponent).join('/');
  await fetchFile(
    {
      name: path,
      url: `${settings.endpoint}/${repository}/resolve/${commit}/${name}`,
      destination: cache.blobPath(etag),
      partialPath: cache.partialPath(etag),
      lockPath: cache.lockPath(etag),
      sizeBytes,
      digest: digestOfEtag(etag),
      isPlaced: () => cache.hasFile(commit, path, sizeBytes),
      place: (isNew) => cache.link({ etag, isNew }, commit, path),
    },
    settings,
    group,
  );
}

import { readFile } from 'node:fs/promises';
import { createError } from '../errors.js';
import { RepositoryCache } from './cache-layout.js';
import { cachedOrFetched } from './cached-or-fetched.js';
import {
  describeOtherWeights,
  descriptionsOf,
  indexOf,
  weightsOfIndex,
  weightsWithoutIndex,
} from './checkpoint-files.js';
import { explainSystemFailure } from './hub-errors.js';
import { fetchFiles } from './hub-model.js';
import { fetchCommit, fetchListing, type RepositoryFile, readListing } from './repository.js';
import { type HubSettings, readSettings, type Tuning } from './settings.js';
import { listSnapshotFiles } from './snapshot.js';
import { parseModelSource } from './source.js';
import type { HubSource, ResolveModelOptions } from './types.js';

/**
 * Fetches what a conversion needs of a repository with safetensors: configuration, tokenizer, chat template and
 * weights, into the cache that the Hugging Face tools share. Other forms of the same weights (`.bin`, `.pth`, ONNX,
 * GGUF, the maker's own layout) are left where they are.
 *
 * What is complete in the cache is used without asking the network.
 *
 * @param source `hf:owner/repo[@revision]`, or the repository's page on the hub.
 * @returns the folder that holds the files.
 * @throws `SOURCE_INVALID` for anything but a whole repository; `CHECKPOINT_INVALID` when the index of the weights
 *   cannot be read; `FILE_NOT_IN_REPOSITORY` without safetensors; else as {@link resolveModel}.
 */
export async function downloadCheckpoint(source: string, options: ResolveModelOptions = {}): Promise<string> {
  return downloadCheckpointWith(source, options);
}

/** {@link downloadCheckpoint} with other times to wait, for tests. */
export async function downloadCheckpointWith(
  source: string,
  options: ResolveModelOptions,
  tuning?: Tuning,
): Promise<string> {
  const parsed = parseModelSource(source);
  if (parsed.kind !== 'hub' || (parsed.file ?? parsed.quantization) !== undefined) {
    throw createError(
      'SOURCE_INVALID',
      `A checkpoint to download is a whole repository: expected hf:owner/repo[@revision], received '${source}'.`,
      { details: { source } },
    );
  }
  const settings = await readSettings(options, tuning);
  const cache = new RepositoryCache(settings.cacheDirectory, parsed.repository);
  try {
    return await cachedOrFetched(parsed, settings, {
      find: (isFinal) => findCached(cache, parsed, isFinal),
      fetch: () => fetchCheckpoint(cache, parsed, settings),
    });
  } catch (error) {
    throw await explainSystemFailure(error, settings);
  }
}

/**
 * Looks in the cache alone. Without a list of what the repository has, as after a download by another tool, nobody
 * knows whether a tokenizer is missing, so that is taken only when nobody can be asked.
 */
async function findCached(
  cache: RepositoryCache,
  source: HubSource,
  isFinal: boolean,
): Promise<string | undefined> {
  const commit = await cache.knownCommit(source.revision ?? 'main');
  if (commit === undefined) return undefined;
  const listing = await readListing(cache, commit);
  if (listing === undefined && !isFinal) return undefined;
  const files = listing ?? (await listSnapshotFiles(cache.snapshotDirectory(commit)));
  const wanted = await chooseCached(cache, commit, files);
  if (wanted === undefined) return undefined;
  for (const path of wanted) {
    const sizeBytes = files.find((file) => file.path === path)?.sizeBytes;
    if (!(await cache.hasFile(commit, path, sizeBytes))) return undefined;
  }
  return cache.snapshotDirectory(commit);
}

/** The files of a checkpoint, if what tells them is in the cache. */
async function chooseCached(
  cache: RepositoryCache,
  commit: string,
  files: readonly { path: string }[],
): Promise<string[] | undefined> {
  const paths = files.map((file) => file.path);
  const index = indexOf(paths);
  const text =
    index === undefined
      ? undefined
      : await readFile(cache.snapshotPath(commit, index), 'utf8').catch(() => '');
  const weights = text === undefined ? weightsWithoutIndex(paths) : weightsOfIndex(text);
  if (weights === undefined || weights.length === 0 || !paths.includes('config.json')) return undefined;
  return [...descriptionsOf(paths), ...weights];
}

async function fetchCheckpoint(
  cache: RepositoryCache,
  source: HubSource,
  settings: HubSettings,
): Promise<string> {
  const { repository, revision = 'main' } = source;
  const commit = await fetchCommit(repository, revision, settings);
  const listing =
    (await readListing(cache, commit)) ?? (await fetchListing(cache, repository, commit, settings));
  const paths = listing.map((file) => file.path);
  const index = indexOf(paths);
  const weights =
    index === undefined
      ? weightsWithoutIndex(paths)
      : await readIndex(cache, repository, commit, findAll(listing, [index], repository), settings);
  if (weights.length === 0) throw noWeights(repository, paths);
  const wanted = [...descriptionsOf(paths), ...weights];
  await fetchFiles(cache, repository, commit, findAll(listing, wanted, repository), settings);
  await cache.rememberCommit(revision, commit);
  return cache.snapshotDirectory(commit);
}

/** The index is fetched before all else, since nobody knows before which files of weights belong together. */
async function readIndex(
  cache: RepositoryCache,
  repository: string,
  commit: string,
  files: readonly RepositoryFile[],
  settings: HubSettings,
): Promise<string[]> {
  const path = await fetchFiles(cache, repository, commit, files, { ...settings, onProgress: undefined });
  const weights = weightsOfIndex(await readFile(path, 'utf8'));
  if (weights !== undefined) return weights;
  throw createError(
    'CHECKPOINT_INVALID',
    `${files[0]?.path} of ${repository} does not tell where the weights are: expected JSON with the member ` +
      'weight_map, which names files of the same folder. Ask its makers, or take another repository of this model.',
    { details: { repository, commit, path } },
  );
}

function findAll(
  listing: readonly RepositoryFile[],
  paths: readonly string[],
  repository: string,
): RepositoryFile[] {
  return paths.map((path) => {
    const file = listing.find((candidate) => candidate.path === path);
    if (file !== undefined) return file;
    throw createError(
      'FILE_NOT_IN_REPOSITORY',
      `The index of ${repository} names ${path}, which is not there; the checkpoint is not complete on the hub.`,
      { details: { repository, file: path } },
    );
  });
}

function noWeights(repository: string, paths: readonly string[]) {
  return createError(
    'FILE_NOT_IN_REPOSITORY',
    `${repository} has no weights in safetensors format. ${describeOtherWeights(repository, paths)}`,
    { details: { repository, files: paths } },
  );
}

import { checkCacheType, checkInteger, checkKeys } from '../arguments.js';
import { createError } from '../errors.js';
import type { CacheType } from '../native/types.js';
import { type AvailableMemory, readAvailableMemory } from './available-memory.js';
import { RepositoryCache } from './cache-layout.js';
import { explainHubFailure, explainSystemFailure, fileNotFound, notCached } from './hub-errors.js';
import { fitsMemory, type KnownHeader, type MemoryFit, trainedContextSize } from './memory.js';
import { readRemoteHeader } from './memory-warning.js';
import { chooseFile, isModelFile, partsOf, quantizationOf, splitOf } from './quantization.js';
import { fetchCommit, fetchListing, type RepositoryFile, readListing } from './repository.js';
import { type HubSettings, hubKeys, readSettings, type Tuning } from './settings.js';
import { formatHubSource, isRepositoryName, parseModelSource } from './source.js';
import type { HubSource, ResolveModelOptions } from './types.js';

/** Options of {@link listModelFiles}. */
export interface ListModelFilesOptions
  extends Pick<ResolveModelOptions, 'cacheDirectory' | 'token' | 'endpoint' | 'offline' | 'signal'> {
  /** Tokens of context that should fit beside the model. Default: what it was trained for, 4096 at most. */
  contextSize?: number;
  /** Type of the cached keys. Default `f16`. */
  keyType?: CacheType;
  /** Type of the cached values. Default `f16`. */
  valueType?: CacheType;
  /** Memory to fit: a number of bytes without a graphics card. Default: what is free on this machine now. */
  memory?: number | Partial<AvailableMemory>;
}

/** A model in a repository, in one file or in several parts. */
export interface ModelFile {
  /** What `loadModel` takes for it. */
  readonly source: string;
  /** Path in the repository; of a split model, that of the first part. */
  readonly file: string;
  /** As the name tells. */
  readonly quantization?: string;
  /** Of all parts. */
  readonly sizeBytes: number;
  readonly partCount: number;
  /** It is what `loadModel` takes when only the repository is named. */
  readonly isDefault: boolean;
  /** It is in the cache already. */
  readonly isDownloaded: boolean;
  readonly memory: MemoryFit;
}

/** What {@link listModelFiles} finds. */
export interface ModelFiles {
  /** `owner/name`. */
  readonly repository: string;
  readonly commit: string;
  /** Tokens of context that the model was trained for, where that could be read. */
  readonly trainedContextSize?: number;
  /** The memory that was compared with. */
  readonly available: AvailableMemory;
  /** The smallest first. */
  readonly files: readonly ModelFile[];
}

const listKeys = [...hubKeys, 'contextSize', 'keyType', 'valueType', 'memory'];

/**
 * The models of a repository on the hub: its quantizations with their sizes, which one is taken when none is named,
 * and which fit the memory. Of one file the header is read, which takes about a megabyte.
 *
 * @param repository `owner/repo` or `hf:owner/repo[@revision]`; with a quantization or file, that one alone.
 * @throws as `resolveModel`; `FILE_NOT_IN_REPOSITORY` without GGUF files.
 */
export async function listModelFiles(
  repository: string,
  options: ListModelFilesOptions = {},
): Promise<ModelFiles> {
  return listModelFilesWith(repository, options);
}

/** {@link listModelFiles} with other times to wait, for tests. */
export async function listModelFilesWith(
  repository: string,
  options: ListModelFilesOptions,
  tuning?: Tuning,
): Promise<ModelFiles> {
  const { files, known, ...survey } = await surveyRepository(repository, options, tuning);
  const { contextSize, keyType, valueType } = options;
  const fitOptions = { ...given('contextSize', contextSize), ...cacheTypesOf({ keyType, valueType }) };
  return {
    ...survey,
    ...given('trainedContextSize', known === undefined ? undefined : trainedContextSize(known)),
    files: files.map((file) => ({
      ...file,
      memory: fitsMemory(known, file.sizeBytes, survey.available, fitOptions),
    })),
  };
}

/** The types of the cache that were named. */
export function cacheTypesOf({
  keyType,
  valueType,
}: {
  keyType?: CacheType | undefined;
  valueType?: CacheType | undefined;
}) {
  return { ...given('keyType', keyType), ...given('valueType', valueType) };
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: Value };
}

/** What a repository has, and what is needed to tell whether it fits. */
export interface Survey {
  readonly repository: string;
  readonly commit: string;
  readonly available: AvailableMemory;
  readonly files: readonly Omit<ModelFile, 'memory'>[];
  readonly known: KnownHeader | undefined;
}

/** Asks the hub what a repository has, and reads the header of one of its files. */
export async function surveyRepository(
  repository: string,
  options: ListModelFilesOptions,
  tuning?: Tuning,
): Promise<Survey> {
  checkKeys('options', options, listKeys);
  checkInteger('contextSize', options.contextSize, 1, 0x7fffffff);
  checkCacheType('keyType', options.keyType);
  checkCacheType('valueType', options.valueType);
  const source = parseRepository(repository);
  const { contextSize: _, keyType: __, valueType: ___, memory, ...hubOptions } = options;
  const settings = await readSettings(hubOptions, tuning);
  const available = await readAvailableMemory(memory);
  const cache = new RepositoryCache(settings.cacheDirectory, source.repository);
  try {
    const { commit, listing } = await findListing(cache, source, settings);
    const files = await describeFiles(cache, source, commit, listing);
    if (files.length === 0) throw fileNotFound(source, listing, commit);
    const known = await readKnownHeader(source, commit, files, listing, settings);
    return { repository: source.repository, commit, available, files, known };
  } catch (error) {
    throw await explainSystemFailure(explainHubFailure(error, source, settings), settings);
  }
}

function parseRepository(text: string): HubSource {
  const source = parseModelSource(isRepositoryName(text) ? `hf:${text}` : text);
  if (source.kind === 'hub') return source;
  throw createError(
    'SOURCE_INVALID',
    `Expected a repository on the hub, as in hf:owner/repo; received '${text}'.`,
    { details: { source: text } },
  );
}

async function findListing(cache: RepositoryCache, source: HubSource, settings: HubSettings) {
  const revision = source.revision ?? 'main';
  if (settings.offline) {
    const commit = await cache.knownCommit(revision);
    const listing = commit === undefined ? undefined : await readListing(cache, commit);
    if (commit === undefined || listing === undefined) throw notCached(source, settings);
    return { commit, listing };
  }
  const commit = await fetchCommit(source.repository, revision, settings);
  const listing =
    (await readListing(cache, commit)) ?? (await fetchListing(cache, source.repository, commit, settings));
  return { commit, listing };
}

async function describeFiles(
  cache: RepositoryCache,
  source: HubSource,
  commit: string,
  listing: readonly RepositoryFile[],
): Promise<Omit<ModelFile, 'memory'>[]> {
  const preferred = chooseFile(listing, {});
  const isNamed = (source.file ?? source.quantization) !== undefined;
  const wanted = isNamed ? chooseFile(listing, source) : undefined;
  const files: Omit<ModelFile, 'memory'>[] = [];
  for (const { path } of listing) {
    if (!isModelFile(path) || (splitOf(path)?.index ?? 1) !== 1 || (isNamed && path !== wanted)) continue;
    const parts = partsOf(path).map((part) => listing.find((file) => file.path === part));
    const whole = parts.filter((part) => part !== undefined);
    if (whole.length < parts.length) continue;
    const present = await Promise.all(whole.map((part) => cache.hasFile(commit, part.path, part.sizeBytes)));
    files.push({
      source: formatHubSource({ ...withoutSelector(source), file: path }),
      file: path,
      ...given('quantization', quantizationOf(path)),
      sizeBytes: whole.reduce((sum, part) => sum + part.sizeBytes, 0),
      partCount: whole.length,
      isDefault: path === preferred,
      isDownloaded: present.every((isThere) => isThere),
    });
  }
  return files.sort((left, right) => left.sizeBytes - right.sizeBytes || (left.file < right.file ? -1 : 1));
}

function withoutSelector({ kind, repository, revision }: HubSource): HubSource {
  return { kind, repository, ...given('revision', revision) };
}

/** A whole file tells more than the first part of a split one; which quantization it has does not matter. */
async function readKnownHeader(
  source: HubSource,
  commit: string,
  files: readonly Omit<ModelFile, 'memory'>[],
  listing: readonly RepositoryFile[],
  settings: HubSettings,
): Promise<KnownHeader | undefined> {
  const chosen = files.find((file) => file.partCount === 1) ?? files[0];
  const sizeBytes = listing.find((file) => file.path === chosen?.file)?.sizeBytes;
  if (chosen === undefined || sizeBytes === undefined || settings.offline) return undefined;
  const remote: HubSource = {
    kind: 'hub',
    repository: source.repository,
    revision: commit,
    file: chosen.file,
  };
  return readRemoteHeader(remote, sizeBytes, settings);
}

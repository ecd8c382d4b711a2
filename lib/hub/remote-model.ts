import { RepositoryCache } from './cache-layout.js';
import { explainHubFailure, fileNotFound } from './hub-errors.js';
import { chooseFile } from './quantization.js';
import { RemoteBytes } from './remote-bytes.js';
import { fetchCommit, fetchListing, readListing } from './repository.js';
import type { HubSettings } from './settings.js';
import { formatHubSource } from './source.js';
import type { HubSource, UrlSource } from './types.js';
import { explainUrlFailure } from './url-model.js';

/** Reads parts of a model's file on the hub or a web server, without downloading it. */
export async function withRemoteBytes<Result>(
  source: HubSource | UrlSource,
  settings: HubSettings,
  read: (bytes: RemoteBytes) => Promise<Result>,
): Promise<Result> {
  let bytes: RemoteBytes | undefined;
  try {
    bytes =
      source.kind === 'url'
        ? await RemoteBytes.open(source.url, source.url, settings)
        : await openHubFile(source, settings);
    return await read(bytes);
  } catch (error) {
    throw source.kind === 'url'
      ? explainUrlFailure(error, source, settings)
      : explainHubFailure(error, source, settings);
  } finally {
    bytes?.close();
  }
}

/** The file is asked for as it stands; only to choose one by its quantization the hub is asked what there is. */
async function openHubFile(source: HubSource, settings: HubSettings): Promise<RemoteBytes> {
  const { repository, revision = 'main' } = source;
  const { file, commit } =
    source.file === undefined
      ? await chooseHubFile(source, settings)
      : { file: source.file, commit: revision };
  const path = file.split('/').map(encodeURIComponent).join('/');
  const named: HubSource = {
    kind: 'hub',
    repository,
    file,
    ...(source.revision === undefined ? {} : { revision: source.revision }),
  };
  const url = `${settings.endpoint}/${repository}/resolve/${encodeURIComponent(commit)}/${path}`;
  return RemoteBytes.open(formatHubSource(named), url, settings);
}

async function chooseHubFile(
  source: HubSource,
  settings: HubSettings,
): Promise<{ file: string; commit: string }> {
  const { repository } = source;
  const cache = new RepositoryCache(settings.cacheDirectory, repository);
  const commit = await fetchCommit(repository, source.revision ?? 'main', settings);
  const listing =
    (await readListing(cache, commit)) ?? (await fetchListing(cache, repository, commit, settings));
  const file = chooseFile(listing, source);
  if (file === undefined) throw fileNotFound(source, listing, commit);
  return { file, commit };
}

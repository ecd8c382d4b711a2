import { RepositoryCache } from './cache-layout.js';
import { isModelFile } from './quantization.js';
import { readListing } from './repository.js';
import { resolveCacheDirectory } from './settings.js';
import type { CacheOptions, HubSource } from './types.js';

/** Whether the cache knows that a repository has safetensors and no GGUF file, so that nobody has to be asked. */
export async function isKnownCheckpoint(source: HubSource, options: CacheOptions): Promise<boolean> {
  const cache = new RepositoryCache(resolveCacheDirectory(options.cacheDirectory), source.repository);
  const commit = await cache.knownCommit(source.revision ?? 'main');
  const listing = commit === undefined ? undefined : await readListing(cache, commit);
  if (listing === undefined || listing.some(({ path }) => isModelFile(path))) return false;
  return listing.some(({ path }) => path.endsWith('.safetensors'));
}

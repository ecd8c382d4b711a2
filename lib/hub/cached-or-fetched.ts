import { isCommit } from './cache-layout.js';
import { explainHubFailure, isUnreachable, notCached } from './hub-errors.js';
import type { HubSettings } from './settings.js';
import type { HubSource } from './types.js';

/** Two ways to what a source names. */
export interface Ways {
  /** Looks in the cache alone. `isFinal`: nobody else can be asked, so that the best of what is there is taken. */
  readonly find: (isFinal: boolean) => Promise<string | undefined>;
  readonly fetch: () => Promise<string>;
}

/** Takes what is in the cache, unless a newer version is asked for; else fetches it. */
export async function cachedOrFetched(source: HubSource, settings: HubSettings, ways: Ways): Promise<string> {
  if (!settings.update || settings.offline || isCommit(source.revision ?? '')) {
    const cached = await ways.find(settings.offline);
    if (cached !== undefined) return cached;
  }
  if (settings.offline) throw notCached(source, settings);
  try {
    return await ways.fetch();
  } catch (error) {
    // A hub out of reach is no reason to fail while the cache has something that fits.
    const cached = isUnreachable(error) && !settings.update ? await ways.find(true) : undefined;
    if (cached !== undefined) return cached;
    throw explainHubFailure(error, source, settings);
  }
}

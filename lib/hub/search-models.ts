import { checkInteger, checkKeys, checkString, invalidArgument } from '../arguments.js';
import { createError } from '../errors.js';
import { mirrorAdvice } from './download-errors.js';
import { ConnectionFailure, HttpFailure } from './http.js';
import { hubFetch, refuseNonsense } from './repository.js';
import { type HubSettings, hubKeys, readSettings, type Tuning } from './settings.js';
import type { ResolveModelOptions } from './types.js';

/** What search results are ordered by, the largest first. */
export type ModelOrder = 'downloads' | 'likes' | 'lastModified' | 'createdAt' | 'trendingScore';

/** Options of {@link searchModels}. */
export interface SearchModelsOptions extends Pick<ResolveModelOptions, 'token' | 'endpoint' | 'signal'> {
  /** Only repositories of this user or organization. */
  author?: string;
  /** Most results, 1 to 1000. Default 20. */
  limit?: number;
  /** Default `downloads`. */
  sort?: ModelOrder;
  /** Only repositories with this tag, such as `gguf` or `safetensors`; an empty text for all. Default `gguf`. */
  filter?: string;
}

/** A repository that was found. */
export interface FoundModel {
  /** What `loadModel` takes. */
  readonly source: string;
  /** `owner/name`. */
  readonly repository: string;
  /** Downloads in the last month. */
  readonly downloads: number;
  readonly likes: number;
  readonly lastModified: Date;
  /** Terms have to be accepted on the hub's page before it can be downloaded. */
  readonly isGated: boolean;
  readonly isPrivate: boolean;
  /** What it is for, such as `text-generation`, where its makers say. */
  readonly task?: string;
}

const orders: readonly string[] = ['downloads', 'likes', 'lastModified', 'createdAt', 'trendingScore'];
const searchKeys = [...hubKeys, 'author', 'limit', 'sort', 'filter'];

/**
 * Searches the hub for repositories by parts of their names.
 *
 * @param query words of the name; an empty text finds all.
 * @throws `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `ABORTED`, `INVALID_ARGUMENT`.
 */
export async function searchModels(query: string, options: SearchModelsOptions = {}): Promise<FoundModel[]> {
  return searchModelsWith(query, options);
}

/** {@link searchModels} with other times to wait, for tests. */
export async function searchModelsWith(
  query: string,
  options: SearchModelsOptions,
  tuning?: Tuning,
): Promise<FoundModel[]> {
  checkOptions(query, options);
  const { author, limit = 20, sort = 'downloads', filter = 'gguf', ...hubOptions } = options;
  const settings = await readSettings(hubOptions, tuning);
  const { listModels } = await import('@huggingface/hub');
  const found: FoundModel[] = [];
  const entries = listModels({
    search: {
      query,
      ...(author === undefined ? {} : { owner: author }),
      ...(filter === '' ? {} : { tags: [filter] }),
    },
    limit,
    sort,
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings),
  });
  try {
    for await (const { name, downloads, likes, updatedAt, gated, private: isPrivate, task } of entries) {
      found.push({
        source: `hf:${name}`,
        repository: name,
        downloads,
        likes,
        lastModified: updatedAt,
        isGated: gated !== false,
        isPrivate,
        ...(task === undefined ? {} : { task }),
      });
    }
  } catch (error) {
    throw explain(error, settings);
  }
  return found;
}

function checkOptions(query: string, options: SearchModelsOptions): void {
  if (typeof query !== 'string') throw invalidArgument('query', 'a string', query);
  checkKeys('options', options, searchKeys);
  checkString('author', options.author);
  checkInteger('limit', options.limit, 1, 1000);
  checkString('filter', options.filter);
  if (options.sort !== undefined && !orders.includes(options.sort)) {
    throw invalidArgument('sort', `one of ${orders.join(', ')}`, options.sort);
  }
}

function explain(error: unknown, settings: HubSettings): unknown {
  if (error instanceof ConnectionFailure) {
    const message = `${settings.endpoint} cannot be searched: ${error.message}.${mirrorAdvice(error, settings)}`;
    return createError('DOWNLOAD_FAILED', message, {
      cause: error,
      details: { endpoint: settings.endpoint },
    });
  }
  if (error instanceof HttpFailure) {
    const isRefusal = error.status === 401 || error.status === 403;
    const advice = isRefusal
      ? 'Set HF_TOKEN or the option `token` to a valid access token.'
      : 'Try again later.';
    const message = `${error.message} when it was searched. ${advice}`;
    const details = { status: error.status, url: error.url };
    return createError(isRefusal ? 'UNAUTHORIZED' : 'DOWNLOAD_FAILED', message, { cause: error, details });
  }
  try {
    return refuseNonsense(error, settings, 'a list of models');
  } catch (refusal) {
    return refusal;
  }
}

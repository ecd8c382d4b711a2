import { createError } from '../errors.js';
import { type Digest, digestOfHeaders, stripEtag } from './digest.js';
import { mirrorAdvice } from './download-errors.js';
import { ConnectionFailure, connectionFailure, HttpFailure, request } from './http.js';
import { withRetries } from './retry.js';
import type { HubSettings } from './settings.js';
import { fetchFile } from './transfer.js';
import type { UrlSource } from './types.js';
import { UrlCache, versionOf } from './url-cache.js';

/** What a server says of a file before it is fetched. */
interface RemoteFile {
  readonly sizeBytes: number | undefined;
  /** Strong or weak ETag or date, to tell versions apart; empty when the server gives none. */
  readonly etag: string;
  /** For `If-Range`, which takes no weak ETag. */
  readonly validator: string | undefined;
  readonly digest: Digest | undefined;
}

/** Local path of the first (or only) file at a web address, fetched if need be. */
export async function resolveUrlModel(source: UrlSource, settings: HubSettings): Promise<string> {
  const cache = new UrlCache(settings.cacheDirectory, source.url);
  const [first = ''] = cache.files;
  if (!settings.update || settings.offline) {
    const record = await cache.readComplete();
    if (record !== undefined) return cache.pathOf(record.version, first);
    if (settings.offline) throw notCached(source, settings);
  }
  try {
    const remote = await inspect(cache.urlOf(first), settings);
    const version = versionOf(remote.etag, remote.sizeBytes);
    for (const file of cache.files) {
      const about = file === first ? remote : await inspect(cache.urlOf(file), settings);
      const destination = cache.pathOf(version, file);
      await fetchFile(
        {
          ...about,
          name: file,
          url: cache.urlOf(file),
          destination,
          partialPath: `${destination}.incomplete`,
          lockPath: `${destination}.lock`,
        },
        settings,
      );
    }
    await cache.complete(version, remote.etag);
    return cache.pathOf(version, first);
  } catch (error) {
    throw explainUrlFailure(error, source, settings);
  }
}

/** Asks for the first four bytes: a signed address may forbid HEAD, and the bytes tell whether it is a model at all. */
async function inspect(url: string, settings: HubSettings): Promise<RemoteFile> {
  return withRetries(settings, async () => {
    const answer = await request(url, settings, { range: 'bytes=0-3' });
    try {
      await requireGguf(answer.response, url);
      return describe(answer.response, answer.headers);
    } finally {
      answer.release();
    }
  });
}

function describe(response: Response, headers: Headers): RemoteFile {
  const total =
    response.status === 206
      ? /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
      : response.headers.get('content-length');
  const etag = response.headers.get('etag');
  const date = response.headers.get('last-modified');
  const strong = etag === null || etag.startsWith('W/') ? date : etag;
  return {
    sizeBytes: /^\d+$/.test(total ?? '') ? Number(total) : undefined,
    etag: stripEtag(headers.get('x-linked-etag')) ?? stripEtag(etag) ?? date ?? '',
    validator: strong ?? undefined,
    digest: digestOfHeaders(headers),
  };
}

async function requireGguf(response: Response, url: string): Promise<void> {
  let start = Buffer.alloc(0);
  const reader = response.body?.getReader();
  while (reader !== undefined && start.length < 4) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw connectionFailure('the connection was cut', error);
    });
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  const magic = start.subarray(0, 4).toString('latin1');
  if (magic === 'GGUF') return;
  const type = response.headers.get('content-type') ?? 'no content type';
  throw createError(
    'MODEL_INVALID',
    `What lies at ${url} is not a GGUF file: expected the bytes 'GGUF' at its start, received ` +
      `${JSON.stringify(magic)} (${type}). Use the address of the file itself, not of a page about it.`,
    { details: { url } },
  );
}

/** The error a user gets for what went wrong while asking a web server. */
export function explainUrlFailure(error: unknown, { url }: UrlSource, settings: HubSettings): unknown {
  if (error instanceof ConnectionFailure) {
    const message = `${url} cannot be fetched: ${error.message}. Check the connection and run it again.`;
    return createError('DOWNLOAD_FAILED', `${message}${mirrorAdvice(error, settings)}`, { cause: error });
  }
  if (!(error instanceof HttpFailure)) return error;
  const details = { url, status: error.status };
  if (error.status === 401 || error.status === 403) {
    const advice = 'It needs access rights; fetch the file yourself and name its path.';
    return createError('UNAUTHORIZED', `${error.message} for ${url}. ${advice}`, { cause: error, details });
  }
  if (error.status === 404 || error.status === 410) {
    const message = `There is nothing at ${url} (${error.message}). Check the address.`;
    return createError('MODEL_NOT_FOUND', message, { cause: error, details });
  }
  const message = `${url} cannot be fetched: ${error.message}. Run it again later.`;
  return createError('DOWNLOAD_FAILED', message, { cause: error, details });
}

function notCached({ url }: UrlSource, settings: HubSettings) {
  return createError(
    'DOWNLOAD_FAILED',
    `${url} is not in the cache (${settings.cacheDirectory}), and offline mode forbids fetching it. ` +
      'Run it once without `offline` and HF_HUB_OFFLINE.',
  );
}

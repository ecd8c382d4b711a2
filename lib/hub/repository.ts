import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createError } from '../errors.js';
import { isCommit, isEtag, type RepositoryCache, writeWhole } from './cache-layout.js';
import { readText, request } from './http.js';
import { withRetries } from './retry.js';
import type { HubSettings } from './settings.js';
import { isSafePath } from './source.js';

/** A file of a repository, with what identifies its bytes. */
export interface RepositoryFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256 for files in large-file storage, git's id for others; also the name of the blob in the cache. */
  readonly etag: string;
}

/** Loaded only when the hub is asked: it is large, and most runs find their model in the cache. */
const loadClient = () => import('@huggingface/hub');

/** The commit that a revision stands for at this moment. */
export async function fetchCommit(
  repository: string,
  revision: string,
  settings: HubSettings,
): Promise<string> {
  const { modelInfo } = await loadClient();
  const expected = `a commit for ${repository}`;
  const ask = modelInfo({
    name: repository,
    revision,
    additionalFields: ['sha'],
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings),
  });
  const { sha } = await ask.catch((error: unknown) => refuseNonsense(error, settings, expected));
  if (typeof sha !== 'string' || !isCommit(sha)) throw malformed(settings, expected, sha);
  return sha;
}

/** All files of a commit, from the hub; remembered, since a commit never changes. */
export async function fetchListing(
  cache: RepositoryCache,
  repository: string,
  commit: string,
  settings: HubSettings,
): Promise<RepositoryFile[]> {
  const files = await askForFiles(repository, commit, settings).catch((error: unknown) =>
    refuseNonsense(error, settings, `the files of ${repository}`),
  );
  const path = cache.listingPath(commit);
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, JSON.stringify(files));
  return files;
}

async function askForFiles(
  repository: string,
  commit: string,
  settings: HubSettings,
): Promise<RepositoryFile[]> {
  const { listFiles } = await loadClient();
  const files: RepositoryFile[] = [];
  const entries = listFiles({
    repo: { type: 'model', name: repository },
    revision: commit,
    recursive: true,
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings),
  });
  for await (const entry of entries) {
    if (entry.type !== 'file') continue;
    const file = {
      path: entry.path,
      sizeBytes: entry.lfs?.size ?? entry.size,
      etag: entry.lfs?.oid ?? entry.oid,
    };
    if (isRepositoryFile(file)) files.push(file);
    // Nobody asks for a README with an odd name, but a model must not be missing without a word.
    else if (/\.(gguf|safetensors|json)$/i.test(entry.path))
      throw malformed(settings, `path, size and hash of a file in ${repository}`, entry);
  }
  return files;
}

/** The files of a commit, if they were listed before. */
export async function readListing(
  cache: RepositoryCache,
  commit: string,
): Promise<RepositoryFile[] | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(cache.listingPath(commit), 'utf8'));
    return Array.isArray(value) && value.every(isRepositoryFile) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRepositoryFile(value: unknown): value is RepositoryFile {
  if (typeof value !== 'object' || value === null) return false;
  const { path, sizeBytes, etag } = value as Partial<Record<keyof RepositoryFile, unknown>>;
  const isSound = typeof path === 'string' && isSafePath(path) && typeof etag === 'string' && isEtag(etag);
  return isSound && typeof sizeBytes === 'number' && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0;
}

function malformed(settings: HubSettings, expected: string, received: unknown) {
  return createError(
    'DOWNLOAD_FAILED',
    `${settings.endpoint} did not answer as a hub does: expected ${expected}, received ${JSON.stringify(received)}. ` +
      'Check HF_ENDPOINT and the option `endpoint`.',
  );
}

/** What is not JSON, or not of the hub's form, comes as one of these from @huggingface/hub. */
function refuseNonsense(error: unknown, settings: HubSettings, expected: string): never {
  if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
  throw malformed(settings, expected, error.message);
}

/**
 * The `fetch` that @huggingface/hub calls: with our retries, timeouts and failures, and with the token, which that
 * library would refuse unless it starts with `hf_`, as tokens of private mirrors do not.
 */
function hubFetch(settings: HubSettings): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    return withRetries(settings, async () => {
      const answer = await request(url, settings, Object.fromEntries(new Headers(init?.headers)));
      try {
        const { status, headers } = answer.response;
        return new Response(await readText(answer, settings.tuning.headersTimeoutMs), { status, headers });
      } finally {
        answer.release();
      }
    });
  };
}

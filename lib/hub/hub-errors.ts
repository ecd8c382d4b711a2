import { createError, LlamaNativeError } from '../errors.js';
import { formatBytes } from '../files/format-bytes.js';
import { isDiskFull } from '../files/free-space.js';
import { fullCacheError } from './disk-space.js';
import { mirrorAdvice } from './download-errors.js';
import { ConnectionFailure, HttpFailure } from './http.js';
import { type Candidate, isModelFile } from './quantization.js';
import { isTransient } from './retry.js';
import type { HubSettings } from './settings.js';
import { formatHubSource } from './source.js';
import type { HubSource } from './types.js';

type CacheSettings = Pick<HubSettings, 'cacheDirectory'>;

const revisionOf = (source: HubSource) => source.revision ?? 'main';

/** True when the hub gave no answer, or none that says anything about what was asked. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof ConnectionFailure || (error instanceof HttpFailure && isTransient(error));
}

/** The error a user gets for what went wrong while asking the hub. */
export function explainHubFailure(error: unknown, source: HubSource, settings: HubSettings): unknown {
  if (error instanceof HttpFailure) return explainAnswer(error, source, settings);
  if (!(error instanceof ConnectionFailure)) return error;
  return createError(
    'DOWNLOAD_FAILED',
    `${formatHubSource(source)} is not complete in the cache (${settings.cacheDirectory}), and the hub did not answer: ` +
      `${error.message}. Check the connection and run it again.${mirrorAdvice(error, settings)}`,
    { cause: error, details: { endpoint: settings.endpoint } },
  );
}

function explainAnswer(failure: HttpFailure, source: HubSource, settings: HubSettings): LlamaNativeError {
  const details = { status: failure.status, url: failure.url, repository: source.repository };
  const make = (code: Parameters<typeof createError>[0], message: string) =>
    createError(code, message, { cause: failure, details });
  const { repository } = source;
  const hub = settings.endpoint;
  if (failure.hubCode === 'GatedRepo') {
    const how =
      settings.token === undefined ? 'set HF_TOKEN to a token of yours' : 'the token has no access yet';
    return make(
      'UNAUTHORIZED',
      `${repository} is gated: accept its terms at ${hub}/${repository}; then ${how}.`,
    );
  }
  if (failure.hubCode === 'RevisionNotFound') {
    return make(
      'REPOSITORY_NOT_FOUND',
      `${repository} has no revision '${revisionOf(source)}' on ${hub}. Name a branch, tag or full commit.`,
    );
  }
  if (failure.hubCode === 'EntryNotFound') {
    return make('FILE_NOT_IN_REPOSITORY', `${repository} no longer has the file at ${failure.url}.`);
  }
  if (isMissing(failure, settings)) {
    const access = settings.token === undefined ? 'set HF_TOKEN' : 'use a token with access to it';
    return make(
      'REPOSITORY_NOT_FOUND',
      `${hub} has no model repository '${repository}', or it is private. Check the name; if it is private, ${access}.`,
    );
  }
  if (failure.status === 401 || failure.status === 403) {
    const token = settings.token === undefined ? 'no token was sent' : 'the token was refused';
    return make(
      'UNAUTHORIZED',
      `${failure.message} for ${repository}: ${token}. Set HF_TOKEN or the option \`token\` to a valid access token.`,
    );
  }
  return make('DOWNLOAD_FAILED', `${failure.message} when asked for ${repository}. Run it again later.`);
}

/** To callers without a token the hub answers 401 for missing repositories too. */
function isMissing(failure: HttpFailure, settings: HubSettings): boolean {
  if (failure.hubCode === 'RepoNotFound' || failure.status === 404) return true;
  return failure.status === 401 && settings.token === undefined && failure.hubCode === undefined;
}

/** The repository is there, but what was asked for is not in it. */
export function fileNotFound(
  source: HubSource,
  files: readonly Candidate[],
  commit: string,
): LlamaNativeError {
  const wanted = source.file ?? source.quantization;
  const models = files.filter((file) => isModelFile(file.path));
  const asked = wanted === undefined ? 'a model in GGUF format' : `'${wanted}'`;
  const there =
    models.length === 0
      ? 'It has no GGUF files at all; look for a repository whose name ends in -GGUF.'
      : `It has:\n${models.map((file) => `  ${file.path}  (${formatBytes(file.sizeBytes)})`).join('\n')}`;
  return createError(
    'FILE_NOT_IN_REPOSITORY',
    `${source.repository} at ${revisionOf(source)} does not have ${asked}. ${there}`,
    {
      details: {
        repository: source.repository,
        commit,
        files: models.map(({ path, sizeBytes }) => ({ path, sizeBytes })),
      },
    },
  );
}

/** Offline, and the cache does not have it. */
export function notCached(source: HubSource, settings: HubSettings): LlamaNativeError {
  return createError(
    'DOWNLOAD_FAILED',
    `${formatHubSource(source)} is not complete in the cache (${settings.cacheDirectory}), and offline mode forbids ` +
      'fetching it. Run it once without `offline` and HF_HUB_OFFLINE.',
    { details: { repository: source.repository } },
  );
}

/** Gives failures of the file system, such as a read-only cache folder, a code and a way out. */
export async function explainSystemFailure(
  error: unknown,
  { cacheDirectory }: CacheSettings,
): Promise<unknown> {
  if (LlamaNativeError.isInstance(error) || !(error instanceof Error) || !('syscall' in error)) return error;
  if (isDiskFull(error)) return fullCacheError(error, cacheDirectory);
  return createError(
    'DOWNLOAD_FAILED',
    `The cache folder ${cacheDirectory} cannot be used: ${error.message}. Correct its permissions, or name ` +
      'another one with HF_HUB_CACHE or the option `cacheDirectory`.',
    { cause: error, details: { cacheDirectory } },
  );
}

import { type ErrorCode, LlamaNativeError } from '../../index.js';
import { RequestError } from '../failures.js';

/** Failures of a load that whoever named the source can do something about. */
const faultsOfSource: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'SOURCE_INVALID',
  'MODEL_NOT_FOUND',
  'MODEL_INVALID',
  'MODEL_UNSUPPORTED',
  'ADAPTER_MISMATCH',
  'DRAFT_MODEL_MISMATCH',
  'CHECKPOINT_INVALID',
  'CHECKPOINT_UNSUPPORTED',
  'REPOSITORY_NOT_FOUND',
  'FILE_NOT_IN_REPOSITORY',
  'UNAUTHORIZED',
]);

function secondsOf(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}

/** What a request is told whose model cannot be loaded. Not why: the reasons name files of this machine. */
export function notLoaded(name: string, cause: unknown, pauseMs: number): RequestError {
  if (cause instanceof RequestError) return cause;
  const seconds = secondsOf(pauseMs);
  const message =
    `The model ${name} could not be loaded. Administrators see why in the server's log and at /models/events. It is ` +
    `tried again in ${seconds} s.`;
  return new RequestError('overloaded', 'model_load_failed', message, { retryAfterSeconds: seconds, cause });
}

/** What an administrator is told who asked for the load: all of it. */
export function loadFailure(cause: unknown): unknown {
  if (!LlamaNativeError.isInstance(cause)) return cause;
  const code = cause.code.toLowerCase();
  if (faultsOfSource.has(cause.code))
    return new RequestError('invalid-request', code, cause.message, { cause });
  return new RequestError('overloaded', code, cause.message, { retryAfterSeconds: 1, cause });
}

export function stillLoading(name: string, waitedMs: number): RequestError {
  const message = `The model ${name} is still loading after ${waitedMs} ms. Try again later.`;
  return new RequestError('overloaded', 'model_loading', message, { retryAfterSeconds: 5 });
}

export function unloadedMeanwhile(name: string): RequestError {
  const message = `The model ${name} was unloaded before it was ready. Try again: the next request loads it anew.`;
  return new RequestError('overloaded', 'model_unloaded', message, { retryAfterSeconds: 1 });
}

export function removedMeanwhile(name: string): RequestError {
  return new RequestError('not-found', 'model_not_found', `The model ${name} was removed.`, {
    param: 'model',
  });
}

import { dirname, resolve } from 'node:path';
import { createError, LlamaNativeError } from '../errors.js';
import { formatBytes } from './format-bytes.js';
import { freeSpace, isDiskFull } from './free-space.js';

/** @throws DISK_FULL where a file cannot fit, before anything of it is written. */
export async function ensureRoom(path: string, directory: string, neededBytes: number): Promise<void> {
  const freeBytes = await freeSpace(directory);
  if (freeBytes === undefined || neededBytes <= freeBytes) return;
  throw createError(
    'DISK_FULL',
    `${path} will take ${formatBytes(neededBytes)}, but only ${formatBytes(freeBytes)} are free there. Make room, or ` +
      'name a file on another disk.',
    { details: { path, neededBytes, freeBytes, directory } },
  );
}

/** The error that a user gets for a file that could not be written; what was written of it is gone by now. */
export async function explainFailure(
  path: string,
  neededBytes: number | undefined,
  error: unknown,
): Promise<unknown> {
  if (isDiskFull(error) || isUnexplainedDiskFull(error)) return diskBecameFull(path, neededBytes, error);
  if (LlamaNativeError.isInstance(error) || !(error instanceof Error) || !('code' in error)) return error;
  if (typeof error.code !== 'string' || !/^E[A-Z]+$/.test(error.code)) return error;
  return createError('FILE_ACCESS_FAILED', `${path} could not be written: ${error.message}.`, {
    cause: error,
    details: { path },
  });
}

/** What the addon says: it knows neither the final name nor how much room there is. */
function isUnexplainedDiskFull(error: unknown): error is LlamaNativeError {
  return LlamaNativeError.isInstance(error) && error.code === 'DISK_FULL' && !('freeBytes' in error.details);
}

async function diskBecameFull(path: string, neededBytes: number | undefined, cause: Error) {
  const directory = dirname(resolve(path));
  const freeBytes = await freeSpace(directory);
  const needed = neededBytes === undefined ? '' : ` It takes ${formatBytes(neededBytes)}.`;
  const free = freeBytes === undefined ? '' : ` ${formatBytes(freeBytes)} are free there now.`;
  // A quota, or a limit on the size of one file, is reached while there is room.
  const limit = 'code' in cause && cause.code !== 'ENOSPC' && cause.code !== 'DISK_FULL';
  const reason = limit ? ` The system says: ${cause.message}.` : '';
  return createError(
    'DISK_FULL',
    `The disk became full while ${path} was written.${needed} Nothing of it was kept, and what had that name before is ` +
      `as it was.${free}${reason} Make room, or name a file on another disk, and try again.`,
    { cause, details: { path, directory, neededBytes, freeBytes } },
  );
}

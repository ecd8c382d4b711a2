import { createError, type LlamaNativeError } from '../errors.js';
import { formatBytes } from '../files/format-bytes.js';
import { freeSpace } from '../files/free-space.js';

/**
 * Refuses a download that cannot fit.
 *
 * @param directory an existing folder on the disk that will be written to.
 * @throws `DISK_FULL` with `details` `{ neededBytes, freeBytes, directory }`.
 */
export async function ensureDiskSpace(directory: string, neededBytes: number): Promise<void> {
  const freeBytes = await freeSpace(directory);
  if (freeBytes === undefined || neededBytes <= freeBytes) return;
  throw createError(
    'DISK_FULL',
    `The download needs ${neededBytes} bytes (${formatBytes(neededBytes)}) in ${directory}, but only ` +
      `${freeBytes} bytes (${formatBytes(freeBytes)}) are free there. ${advice}`,
    { details: { neededBytes, freeBytes, directory } },
  );
}

const advice =
  'Make room, remove models with `llama-native rm`, or put the cache on another disk with HF_HUB_CACHE ' +
  'or the option `cacheDirectory`.';

/** The error for a cache without room even for what is written before the first byte of a file. */
export async function fullCacheError(
  cause: NodeJS.ErrnoException,
  directory: string,
): Promise<LlamaNativeError> {
  const freeBytes = await freeSpace(directory);
  const free = freeBytes === undefined ? '' : ` (${freeBytes} bytes are free)`;
  return createError(
    'DISK_FULL',
    `There is no room in the cache folder ${directory}${free}: ${cause.message}. ${advice}`,
    {
      cause,
      details: { freeBytes, directory },
    },
  );
}

/** The error for a disk that became full while writing. */
export async function diskFullError(
  cause: NodeJS.ErrnoException,
  file: { directory: string; name: string; keptBytes: number; sizeBytes: number | undefined },
): Promise<LlamaNativeError> {
  const freeBytes = await freeSpace(file.directory);
  const neededBytes = file.sizeBytes === undefined ? undefined : file.sizeBytes - file.keptBytes;
  const needed = neededBytes === undefined ? '' : `; ${neededBytes} bytes more are needed`;
  const free = freeBytes === undefined ? '' : ` and ${freeBytes} bytes are free`;
  const limit =
    cause.code === 'EFBIG' ? ' The system limits the size of one file here (FAT32 or `ulimit -f`).' : '';
  return createError(
    'DISK_FULL',
    `Writing ${file.name} to ${file.directory} failed with ${cause.code}${needed}${free}.${limit} ` +
      `${file.keptBytes} bytes are kept, and the next call continues from there. ${advice}`,
    { cause, details: { neededBytes, freeBytes, directory: file.directory, keptBytes: file.keptBytes } },
  );
}

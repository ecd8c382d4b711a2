import { dirname } from 'node:path';
import { createError, type LlamaNativeError } from '../errors.js';
import { formatBytes } from '../files/format-bytes.js';
import { isDiskFull } from '../files/free-space.js';
import { diskFullError } from './disk-space.js';
import { ConnectionFailure, HttpFailure } from './http.js';
import { isTransient } from './retry.js';
import type { HubSettings } from './settings.js';
import type { Transfer } from './transfer.js';

/** The bytes are wrong; none of them are kept. */
export class CorruptDownload extends Error {
  override readonly name = 'CorruptDownload';
  readonly error: LlamaNativeError;

  constructor(name: string, expected: string, received: string) {
    super(`${name} is damaged`);
    this.error = createError(
      'DOWNLOAD_CORRUPT',
      `${name} is not what was announced: expected ${expected}, received ${received}. The wrong bytes were removed. ` +
        'Try again; if it happens again, a proxy or mirror on the way changes the file.',
      { details: { file: name, expected, received } },
    );
  }
}

/** Turns the reason of an interrupted download into the error a user gets. */
export async function explainInterruption(
  error: unknown,
  transfer: Transfer,
  keptBytes: number,
  settings: HubSettings,
): Promise<unknown> {
  if (isDiskFull(error)) {
    const { name, sizeBytes } = transfer;
    const directory = dirname(transfer.partialPath);
    return diskFullError(error, { directory, name, keptBytes, sizeBytes });
  }
  const isConnection =
    error instanceof ConnectionFailure || (error instanceof HttpFailure && isTransient(error));
  return isConnection ? downloadFailed(error, transfer, keptBytes, settings) : error;
}

function downloadFailed(cause: Error, transfer: Transfer, keptBytes: number, settings: HubSettings) {
  const of = transfer.sizeBytes === undefined ? '' : ` of ${formatBytes(transfer.sizeBytes)}`;
  const kept =
    keptBytes === 0
      ? 'Run it again to try once more.'
      : `${keptBytes} bytes (${formatBytes(keptBytes)}${of}) are kept; run it again to continue from there.`;
  return createError(
    'DOWNLOAD_FAILED',
    `Downloading ${transfer.name} failed: ${cause.message}. ${kept}${mirrorAdvice(cause, settings)}`,
    { cause, details: { file: transfer.name, keptBytes, totalBytes: transfer.sizeBytes } },
  );
}

/** What to do when a host name is unknown, or when a proxy was asked. */
export function mirrorAdvice(cause: Error, settings: HubSettings): string {
  if (cause instanceof ConnectionFailure && cause.isProxied) {
    return (
      ' If the proxy is the wrong one, correct the environment variable that names it; if it asks for a name and ' +
      'password, write http://name:password@host:port; hosts that are reached without it belong into NO_PROXY.'
    );
  }
  const isNameFailure =
    cause instanceof ConnectionFailure && /^(ENOTFOUND|EAI_AGAIN)$/.test(cause.systemCode ?? '');
  if (!isNameFailure) return '';
  return (
    ` If ${new URL(settings.endpoint).host} is blocked or out of reach here, set HF_ENDPOINT ` +
    'to a mirror of the hub.'
  );
}

import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createError, type LlamaNativeError } from '../errors.js';
import { formatBytes } from '../files/format-bytes.js';
import { isDiskFull } from '../files/free-space.js';
import { abortedError } from './abort.js';
import type { Digest } from './digest.js';
import { diskFullError, ensureDiskSpace } from './disk-space.js';
import { type Answer, ConnectionFailure, connectionFailure, HttpFailure, request } from './http.js';
import { withLock } from './lock.js';
import { PartialFile } from './partial-file.js';
import { ProgressReporter } from './progress.js';
import { isTransient, Patience } from './retry.js';
import type { HubSettings } from './settings.js';

/** One file to fetch, and what is known of it beforehand. */
export interface Transfer {
  /** As the user knows it: for progress and errors. */
  readonly name: string;
  readonly url: string;
  readonly destination: string;
  readonly partialPath: string;
  readonly lockPath: string;
  readonly sizeBytes: number | undefined;
  readonly digest: Digest | undefined;
  /** For `If-Range`: a strong ETag or a date. Needed only where no digest would find a mix of two versions. */
  readonly validator?: string | undefined;
  /** True when another caller has meanwhile put the file where it belongs, so that nothing is left to do. */
  readonly isPlaced?: () => Promise<boolean>;
  /** Puts the file at its destination to use, while no one else can. `isNew` when this call fetched it. */
  readonly place?: (isNew: boolean) => Promise<void>;
}

/**
 * Fetches a file into its destination, once, however many ask for it at a time. A cut connection is resumed; what was
 * received survives every failure but wrong bytes.
 *
 * @throws `DOWNLOAD_FAILED`, `DOWNLOAD_CORRUPT`, `DISK_FULL`, `ABORTED`, {@link HttpFailure} when the server refuses.
 */
export async function fetchFile(transfer: Transfer, settings: HubSettings): Promise<void> {
  const reporter = new ProgressReporter(settings.onProgress, transfer.name);
  const { sizeBytes } = transfer;
  const onWait = async () => {
    const haveBytes = await PartialFile.sizeAt(transfer.partialPath);
    if (sizeBytes !== undefined && haveBytes < sizeBytes) reporter.update(haveBytes, sizeBytes);
  };
  await withLock(transfer.lockPath, { ...settings, onWait }, async () => {
    if (!(await transfer.isPlaced?.())) {
      const isNew = !(await isThere(transfer));
      if (isNew) await downloadAfresh(transfer, settings, reporter);
      await transfer.place?.(isNew);
    }
    const size = sizeBytes ?? (await PartialFile.sizeAt(transfer.destination));
    reporter.complete(size);
  });
}

async function isThere({ destination, sizeBytes }: Transfer): Promise<boolean> {
  const existing = await stat(destination).catch(() => undefined);
  return existing?.isFile() === true && (sizeBytes ?? existing.size) === existing.size;
}

/** Downloads; when bytes left by an earlier run turn out to be wrong, once more without them. */
async function downloadAfresh(transfer: Transfer, settings: HubSettings, reporter: ProgressReporter) {
  const hadPartial = (await PartialFile.sizeAt(transfer.partialPath)) > 0;
  try {
    await download(transfer, settings, reporter).catch((error: unknown) => {
      if (hadPartial && error instanceof CorruptDownload) return download(transfer, settings, reporter);
      throw error;
    });
  } catch (error) {
    throw error instanceof CorruptDownload ? error.error : error;
  }
}

/** The bytes are wrong; the partial file has been removed. */
class CorruptDownload extends Error {
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

async function download(
  transfer: Transfer,
  settings: HubSettings,
  reporter: ProgressReporter,
): Promise<void> {
  const partial = await PartialFile.open(transfer.partialPath, transfer, settings.signal);
  let isOpen = true;
  try {
    if (transfer.sizeBytes !== undefined) {
      await ensureDiskSpace(dirname(transfer.partialPath), transfer.sizeBytes - partial.sizeBytes);
    }
    await receiveAll(transfer, partial, settings, reporter);
    verifyDigest(transfer, partial);
    isOpen = false;
    await partial.moveTo(transfer.destination);
  } catch (error) {
    if (!isOpen) throw error;
    if (error instanceof CorruptDownload || partial.sizeBytes === 0) await partial.remove();
    else await partial.close();
    throw await explain(error, transfer, partial, settings);
  }
}

function verifyDigest(transfer: Transfer, partial: PartialFile): void {
  const received = partial.digest();
  if (transfer.digest === undefined || received === transfer.digest.hex) return;
  const { algorithm, hex } = transfer.digest;
  throw new CorruptDownload(transfer.name, `${algorithm} ${hex}`, received);
}

async function receiveAll(
  transfer: Transfer,
  partial: PartialFile,
  settings: HubSettings,
  reporter: ProgressReporter,
): Promise<void> {
  const patience = new Patience(settings);
  while (partial.sizeBytes !== transfer.sizeBytes) {
    const before = partial.sizeBytes;
    try {
      await receive(transfer, partial, settings, reporter);
      return;
    } catch (error) {
      if (partial.sizeBytes > before) patience.renew();
      if (error instanceof HttpFailure && error.status === 416 && before > 0) await partial.clear();
      else await patience.afterFailure(error);
    }
  }
}

/** One connection: asks for what is missing and appends what comes. */
async function receive(
  transfer: Transfer,
  partial: PartialFile,
  settings: HubSettings,
  reporter: ProgressReporter,
): Promise<void> {
  const canResume = transfer.digest !== undefined || transfer.validator !== undefined;
  const isTooLong = transfer.sizeBytes !== undefined && partial.sizeBytes > transfer.sizeBytes;
  if (!canResume || isTooLong) await partial.clear();
  const answer = await request(transfer.url, settings, rangeHeaders(partial.sizeBytes, transfer.validator));
  try {
    const total = await matchAnswer(answer, transfer, partial);
    for await (const chunk of readBody(answer, settings)) {
      if (partial.sizeBytes + chunk.length > total) {
        throw new CorruptDownload(transfer.name, `${total} bytes`, 'more');
      }
      await partial.append(chunk);
      if (partial.sizeBytes < total) reporter.update(partial.sizeBytes, transfer.sizeBytes);
    }
    if (partial.sizeBytes < total && Number.isFinite(total)) {
      throw new ConnectionFailure(`the connection ended after ${partial.sizeBytes} of ${total} bytes`);
    }
  } finally {
    answer.release();
  }
}

function rangeHeaders(offset: number, validator: string | undefined): Record<string, string> {
  if (offset === 0) return {};
  return { range: `bytes=${offset}-`, ...(validator === undefined ? {} : { 'if-range': validator }) };
}

/**
 * Makes the partial file fit what the server is about to send, and returns the file's whole size, infinite if nobody
 * knows it.
 */
async function matchAnswer(answer: Answer, transfer: Transfer, partial: PartialFile): Promise<number> {
  const { response } = answer;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (response.status === 206 && Number(range?.[1]) !== partial.sizeBytes) {
    await partial.clear();
    throw new ConnectionFailure('the server sent another range than was asked for');
  }
  // A server that ignores the range, or has a newer version, sends everything from the start.
  if (response.status !== 206) await partial.clear();
  const announced = response.status === 206 ? range?.[2] : response.headers.get('content-length');
  const total = /^\d+$/.test(announced ?? '') ? Number(announced) : undefined;
  if (total !== undefined && transfer.sizeBytes !== undefined && total !== transfer.sizeBytes) {
    throw new CorruptDownload(
      transfer.name,
      `${transfer.sizeBytes} bytes`,
      `an announcement of ${total} bytes`,
    );
  }
  return transfer.sizeBytes ?? total ?? Number.POSITIVE_INFINITY;
}

/** The chunks of the body; a connection without a byte for too long counts as cut. */
async function* readBody(answer: Answer, settings: HubSettings): AsyncGenerator<Uint8Array> {
  const reader = answer.response.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await orIdle(reader.read(), settings.tuning.idleTimeoutMs).catch(
      (error: unknown) => {
        if (settings.signal?.aborted) throw abortedError(settings.signal);
        if (error instanceof ConnectionFailure) throw error;
        throw connectionFailure('the connection was cut', error);
      },
    );
    if (done) return;
    yield value;
  }
}

async function orIdle<Result>(read: Promise<Result>, idleTimeoutMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const idle = new Promise<never>((_, reject) => {
    const onIdle = () => reject(new ConnectionFailure(`no byte came for ${idleTimeoutMs / 1000} s`));
    timer = setTimeout(onIdle, idleTimeoutMs);
  });
  return Promise.race([read, idle]).finally(() => clearTimeout(timer));
}

/** Turns the reason of an interrupted download into the error a user gets. */
async function explain(
  error: unknown,
  transfer: Transfer,
  partial: PartialFile,
  settings: HubSettings,
): Promise<unknown> {
  if (isDiskFull(error)) {
    const { name, sizeBytes } = transfer;
    const directory = dirname(transfer.partialPath);
    return diskFullError(error, { directory, name, keptBytes: partial.sizeBytes, sizeBytes });
  }
  const isConnection =
    error instanceof ConnectionFailure || (error instanceof HttpFailure && isTransient(error));
  return isConnection ? downloadFailed(error, transfer, partial.sizeBytes, settings) : error;
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

/** What to do when a host name is unknown. */
export function mirrorAdvice(cause: Error, settings: HubSettings): string {
  const isNameFailure =
    cause instanceof ConnectionFailure && /^(ENOTFOUND|EAI_AGAIN)$/.test(cause.systemCode ?? '');
  if (!isNameFailure) return '';
  return (
    ` If ${new URL(settings.endpoint).host} is blocked or out of reach here, set HF_ENDPOINT ` +
    'to a mirror of the hub.'
  );
}

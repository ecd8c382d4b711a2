import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Digest } from './digest.js';
import { ensureDiskSpace } from './disk-space.js';
import { CorruptDownload, explainInterruption } from './download-errors.js';
import { withLock } from './lock.js';
import { PartialFile } from './partial-file.js';
import { ProgressReporter } from './progress.js';
import { receiveAll } from './receive.js';
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
    const haveBytes = await PartialFile.receivedAt(transfer.partialPath);
    if (sizeBytes !== undefined && haveBytes < sizeBytes) reporter.update(haveBytes, sizeBytes);
  };
  await withLock(transfer.lockPath, { ...settings, onWait }, async () => {
    if (!(await transfer.isPlaced?.())) {
      const isNew = !(await isThere(transfer));
      if (isNew) await downloadAfresh(transfer, settings, reporter);
      await transfer.place?.(isNew);
    }
    const size = sizeBytes ?? (await sizeOf(transfer.destination));
    reporter.complete(size);
  });
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function isThere({ destination, sizeBytes }: Transfer): Promise<boolean> {
  const existing = await stat(destination).catch(() => undefined);
  return existing?.isFile() === true && (sizeBytes ?? existing.size) === existing.size;
}

/** Downloads; when bytes left by an earlier run turn out to be wrong, once more without them. */
async function downloadAfresh(transfer: Transfer, settings: HubSettings, reporter: ProgressReporter) {
  const hadPartial = (await PartialFile.receivedAt(transfer.partialPath)) > 0;
  try {
    await download(transfer, settings, reporter).catch((error: unknown) => {
      if (hadPartial && error instanceof CorruptDownload) return download(transfer, settings, reporter);
      throw error;
    });
  } catch (error) {
    throw error instanceof CorruptDownload ? error.error : error;
  }
}

async function download(
  transfer: Transfer,
  settings: HubSettings,
  reporter: ProgressReporter,
): Promise<void> {
  const segmentBytes = segmentBytesOf(transfer, settings);
  const partial = await PartialFile.open(transfer.partialPath, { ...transfer, segmentBytes });
  let isOpen = true;
  try {
    if (transfer.sizeBytes !== undefined) {
      await ensureDiskSpace(dirname(transfer.partialPath), transfer.sizeBytes - partial.receivedBytes);
    }
    const onBytes = () => {
      if (!partial.isComplete) reporter.update(partial.receivedBytes, transfer.sizeBytes);
    };
    if (!partial.isComplete) await receiveAll(transfer, partial, settings, onBytes);
    await verifyDigest(transfer, partial, settings);
    isOpen = false;
    await partial.moveTo(transfer.destination);
  } catch (error) {
    if (!isOpen) throw error;
    if (error instanceof CorruptDownload || partial.receivedBytes === 0) await partial.remove();
    else await partial.close();
    throw await explainInterruption(error, transfer, partial.receivedBytes, settings);
  }
}

/**
 * How large the parts are that are fetched at a time: large enough that asking for them costs little, small enough that
 * all connections have work until the end. Without a digest nobody would find a part that a loss of power took, so
 * such a file is fetched in one.
 */
function segmentBytesOf({ sizeBytes, digest }: Transfer, settings: HubSettings): number | undefined {
  const { connections, tuning } = settings;
  if (sizeBytes === undefined || digest === undefined || connections === 1) return undefined;
  if (sizeBytes < tuning.parallelBytes) return undefined;
  const shares = Math.ceil(sizeBytes / (4 * connections));
  return Math.min(Math.max(shares, tuning.leastSegmentBytes), tuning.mostSegmentBytes);
}

async function verifyDigest(transfer: Transfer, partial: PartialFile, settings: HubSettings): Promise<void> {
  const received = await partial.digest(settings.signal);
  if (transfer.digest === undefined || received === transfer.digest.hex) return;
  const { algorithm, hex } = transfer.digest;
  throw new CorruptDownload(transfer.name, `${algorithm} ${hex}`, received);
}

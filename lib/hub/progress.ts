import type { OverallProgress } from '../model/types.js';
import type { DownloadProgress } from './types.js';

const intervalMs = 100;
const windowMs = 3_000;

/** Several files that are fetched one after the other. */
export class ProgressGroup {
  readonly #fileCount: number;
  readonly #totalBytes: number;
  #completedFiles = 0;
  #completedBytes = 0;

  constructor(files: readonly { readonly sizeBytes: number }[]) {
    this.#fileCount = files.length;
    this.#totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  }

  complete(sizeBytes: number): void {
    this.#completedFiles += 1;
    this.#completedBytes += sizeBytes;
  }

  /** With so many bytes of the file that is not complete; undefined for a single file. */
  overall(downloadedBytes: number): OverallProgress | undefined {
    if (this.#fileCount < 2) return undefined;
    return {
      fileCount: this.#fileCount,
      completedFiles: this.#completedFiles,
      downloadedBytes: this.#completedBytes + downloadedBytes,
      totalBytes: this.#totalBytes,
    };
  }
}

/** Tells how a download goes on: at most ten times a second, and once more when it is complete. */
export class ProgressReporter {
  readonly #listener: ((progress: DownloadProgress) => void) | undefined;
  readonly #file: string;
  readonly #group: ProgressGroup | undefined;
  readonly #samples: { time: number; bytes: number }[] = [];
  #lastReport = Number.NEGATIVE_INFINITY;

  constructor(
    listener: ((progress: DownloadProgress) => void) | undefined,
    file: string,
    group?: ProgressGroup,
  ) {
    this.#listener = listener;
    this.#file = file;
    this.#group = group;
  }

  /** What is there so far; a file of unknown size counts as being as large as that. */
  update(downloadedBytes: number, totalBytes = downloadedBytes): void {
    if (performance.now() - this.#lastReport >= intervalMs) this.#report(downloadedBytes, totalBytes);
  }

  /** The file is whole, verified and in its place. */
  complete(sizeBytes: number): void {
    this.#group?.complete(sizeBytes);
    this.#report(sizeBytes, sizeBytes, 0);
  }

  #report(downloadedBytes: number, totalBytes: number, openBytes = downloadedBytes): void {
    if (this.#listener === undefined) return;
    const now = performance.now();
    const bytesPerSecond = this.#rate(now, downloadedBytes);
    this.#lastReport = now;
    const overall = this.#group?.overall(openBytes);
    const progress = { file: this.#file, downloadedBytes, totalBytes, bytesPerSecond };
    this.#listener({ stage: 'download', ...progress, ...(overall === undefined ? {} : { overall }) });
  }

  /** Over the last seconds; bytes that were there before the first report do not count. */
  #rate(now: number, bytes: number): number {
    const samples = this.#samples;
    const last = samples.at(-1);
    if (last !== undefined && bytes < last.bytes) samples.length = 0;
    samples.push({ time: now, bytes });
    while (samples.length > 2 && now - (samples[0]?.time ?? now) > windowMs) samples.shift();
    const first = samples[0];
    if (first === undefined || now === first.time) return 0;
    return ((bytes - first.bytes) * 1000) / (now - first.time);
  }
}

import type { DownloadProgress } from './types.js';

const intervalMs = 100;
const windowMs = 3_000;

/** Tells how a download goes on: at most ten times a second, and once more when it is complete. */
export class ProgressReporter {
  readonly #listener: ((progress: DownloadProgress) => void) | undefined;
  readonly #file: string;
  readonly #samples: { time: number; bytes: number }[] = [];
  #lastReport = Number.NEGATIVE_INFINITY;

  constructor(listener: ((progress: DownloadProgress) => void) | undefined, file: string) {
    this.#listener = listener;
    this.#file = file;
  }

  /** What is there so far; a file of unknown size counts as being as large as that. */
  update(downloadedBytes: number, totalBytes = downloadedBytes): void {
    if (performance.now() - this.#lastReport >= intervalMs) this.#report(downloadedBytes, totalBytes);
  }

  /** The file is whole, verified and in its place. */
  complete(sizeBytes: number): void {
    this.#report(sizeBytes, sizeBytes);
  }

  #report(downloadedBytes: number, totalBytes: number): void {
    if (this.#listener === undefined) return;
    const now = performance.now();
    const bytesPerSecond = this.#rate(now, downloadedBytes);
    this.#lastReport = now;
    this.#listener({ stage: 'download', file: this.#file, downloadedBytes, totalBytes, bytesPerSecond });
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

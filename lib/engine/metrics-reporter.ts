import type { ModelMetrics } from './metrics.js';

/** Takes metrics as they are reported. */
export interface MetricsListener {
  /** Whether anybody listens; if not, nothing is read. */
  readonly isWanted: () => boolean;
  readonly report: (metrics: ModelMetrics) => void;
}

/**
 * Reports metrics while an engine works, at most once in an interval, and once more when it has become idle. It has no
 * timer: what the engine does drives it.
 */
export class MetricsReporter {
  readonly #read: () => Promise<ModelMetrics>;
  readonly #intervalMs: number;
  #listener: MetricsListener | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(read: () => Promise<ModelMetrics>, intervalMs: number) {
    this.#read = read;
    this.#intervalMs = intervalMs;
  }

  listen(listener: MetricsListener): void {
    this.#listener = listener;
  }

  /** The engine did something. @param idle whether that was the last of its work. */
  notice(idle: boolean): void {
    const listener = this.#listener;
    const now = performance.now();
    if (listener === undefined || (!idle && now - this.#lastMs < this.#intervalMs)) return;
    if (!listener.isWanted()) return;
    this.#lastMs = now;
    // What a listener throws is an exception of the program's own, as with any event; a closed context has no metrics.
    this.#read().then(
      (metrics) => process.nextTick(listener.report, metrics),
      () => {},
    );
  }
}

import type { EventStream } from '../http/event-stream.js';
import { describeModel } from './describe-model.js';
import type { ModelPool } from './model-pool.js';
import type { ServedModel } from './types.js';

/** Progress comes with every piece of a file; nobody looks more often than this. */
const progressIntervalMs = 100;

/** What a feed tells, and until when. */
export interface ModelFeedOptions {
  /** Only this model. Default: all. */
  readonly only?: ServedModel;
  /** Ends the feed. */
  readonly signal: AbortSignal;
}

/**
 * Tells the reader of a stream what happens to models. A reader who is slow misses what was in between, never what is:
 * of each model only the newest state waits.
 */
export class ModelFeed {
  readonly #pool: ModelPool;
  readonly #stream: EventStream;
  readonly #options: ModelFeedOptions;
  /** Events by model: a state, or that it was removed. */
  readonly #waiting = new Map<string, { readonly name: string; readonly data: string }>();
  readonly #toldProgressMs = new Map<string, number>();
  #writing: Promise<void> | undefined;

  constructor(pool: ModelPool, stream: EventStream, options: ModelFeedOptions) {
    this.#pool = pool;
    this.#stream = stream;
    this.#options = options;
  }

  /** Tells how the models are, and then what becomes of them, until the signal fires. */
  async run(): Promise<void> {
    const { only, signal } = this.#options;
    const onChange = (served: ServedModel) => this.#onChange(served);
    const onRemove = (served: ServedModel) => this.#onRemove(served);
    this.#pool.on('change', onChange).on('remove', onRemove);
    try {
      for (const served of only === undefined ? this.#pool.list() : [only]) this.#tell(served);
      if (!signal.aborted) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      }
      await this.#writing;
    } finally {
      this.#pool.off('change', onChange).off('remove', onRemove);
    }
  }

  #onChange(served: ServedModel): void {
    const { only } = this.#options;
    if (only !== undefined && served !== only) return;
    if (served.progress === undefined) this.#toldProgressMs.delete(served.name);
    else {
      const now = performance.now();
      const last = this.#toldProgressMs.get(served.name) ?? Number.NEGATIVE_INFINITY;
      if (now - last < progressIntervalMs) return;
      this.#toldProgressMs.set(served.name, now);
    }
    this.#tell(served);
  }

  #onRemove(served: ServedModel): void {
    const { only } = this.#options;
    if (only !== undefined && served !== only) return;
    this.#toldProgressMs.delete(served.name);
    this.#put(served.name, 'removed', JSON.stringify({ name: served.name }));
  }

  #tell(served: ServedModel): void {
    this.#put(served.name, 'model', JSON.stringify(describeModel(served)));
  }

  #put(model: string, name: string, data: string): void {
    this.#waiting.delete(model); // the newest comes last
    this.#waiting.set(model, { name, data });
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    for (const [model, { name, data }] of this.#waiting) {
      this.#waiting.delete(model);
      await this.#stream.send(data, name);
    }
  }
}

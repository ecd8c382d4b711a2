/** Loads models that do nothing, when and how a test says. */
import { EventEmitter } from 'node:events';
import { createError } from '../../lib/errors.js';
import type { LoadModelOptions, Model } from '../../lib/index.js';
import type { LoadServedModel } from '../../lib/server/models/model-loader.js';

/** A model in memory as far as a server looks at it. */
export class LoadedModel extends EventEmitter {
  readonly metadata = { sizeBytes: 1000 };
  isClosed = false;
  /** What the next calls of `metrics` fail with, one after the other. */
  readonly failures: unknown[] = [];
  memoryBytes = 1000;
  /** Calls of `metrics`, by which a server learns whether an engine runs. */
  asked = 0;
  /** Where set, `metrics` waits for it. */
  gate: Promise<void> | undefined;

  async metrics() {
    this.asked += 1;
    await this.gate;
    if (this.isClosed) throw createError('CLOSED', 'The model is closed.');
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    return { engineProcess: { processId: 1, memoryBytes: this.memoryBytes, restarts: 0 } };
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** As the library tells of it. */
  crash(): void {
    this.emit('crash', { reason: 'exited' });
  }
}

/** One load that a test decides about. */
export interface PendingLoad {
  readonly source: string;
  readonly options: LoadModelOptions;
  readonly model: LoadedModel;
  succeed(): void;
  fail(error: unknown): void;
}

/** Stands for `loadModel`. */
export class FakeLoader {
  /** All loads, in the order in which they began. */
  readonly loads: PendingLoad[] = [];
  /** Loads that take no time. */
  isInstant = false;
  /** Whether a load that is stopped ends by that, as the library's do. */
  heedsSignal = true;

  readonly load = ((source: string, options: LoadModelOptions = {}) =>
    new Promise<Model>((resolve, reject) => {
      const model = new LoadedModel();
      const pending: PendingLoad = {
        source,
        options,
        model,
        succeed: () => resolve(model as unknown as Model),
        fail: reject,
      };
      this.loads.push(pending);
      options.signal?.addEventListener('abort', () => {
        if (this.heedsSignal) reject(createError('ABORTED', 'Loading the model was cancelled.'));
      });
      if (this.isInstant) pending.succeed();
    })) as LoadServedModel;

  /** The newest load. */
  get last(): PendingLoad {
    const last = this.loads.at(-1);
    if (last === undefined) throw new Error('Nothing has been loaded yet.');
    return last;
  }

  /** Models that are in memory. */
  get open(): string[] {
    return this.loads.filter(({ model }) => !model.isClosed).map(({ source }) => source);
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

import { LlamaNativeError, type LoadProgress, loadModel, type Model } from '../../index.js';
import type { MemoryBudget, MemoryHolder } from './memory-budget.js';
import { estimateLoad, measureMemory } from './memory-use.js';
import type { ModelStay } from './model-stay.js';
import type { ServedLoadOptions } from './types.js';
import { waitFor } from './wait.js';

/** How a model gets into memory; another one in tests. */
export type LoadServedModel = typeof loadModel;

/** What is loaded, and where it has to fit in. */
export interface ModelLoaderSettings {
  readonly source: string;
  readonly load: ServedLoadOptions;
  readonly budget: MemoryBudget;
  readonly loadModel?: LoadServedModel;
}

/** How often a model that becomes idle is asked how much memory it has taken by now, at most. */
const measureIntervalMs = 10_000;

/** Brings a model into memory and keeps count of what it takes there. */
export class ModelLoader {
  readonly #settings: ModelLoaderSettings;
  #measuredMs = 0;

  constructor(settings: ModelLoaderSettings) {
    this.#settings = settings;
  }

  /**
   * Loads the model for a stay, once there is room for it.
   * @throws RequestError if there is none; what `loadModel` throws; the reason of the stay's signal when it fires.
   */
  async load(
    holder: MemoryHolder,
    stay: ModelStay,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<Model> {
    await this.#reserve(holder, stay);
    const { source, load, loadModel: loadServed = loadModel } = this.#settings;
    const { signal } = stay;
    stay.model = await loadServed(source, { ...load, signal, onProgress });
    signal.throwIfAborted(); // it was there before it could be stopped; the stay closes it
    return stay.model;
  }

  /** The engine is asked something: where it has crashed, the library starts it again as its restart policy allows. */
  async untilRunning(stay: ModelStay, model: Model): Promise<void> {
    for (;;) {
      try {
        await waitFor(this.#measure(stay, model), stay.signal);
        return;
      } catch (error) {
        const hasCrashed = LlamaNativeError.isInstance(error) && error.code === 'ENGINE_CRASHED';
        if (!hasCrashed) throw error;
      }
    }
  }

  /** Counts the memory of an idle model anew, if that matters and was not done lately: models grow while they work. */
  measureAgain(stay: ModelStay): void {
    const { budget } = this.#settings;
    if (!budget.isLimited || stay.model === undefined) return;
    if (Date.now() - this.#measuredMs < measureIntervalMs) return;
    this.#measure(stay, stay.model).catch(() => {}); // it is gone, or starts again and is measured then
  }

  async #measure(stay: ModelStay, model: Model): Promise<void> {
    this.#measuredMs = Date.now();
    stay.memoryBytes = await measureMemory(model, stay.estimatedBytes);
    await this.#settings.budget.trim();
  }

  async #reserve(holder: MemoryHolder, stay: ModelStay): Promise<void> {
    const { budget, source, load } = this.#settings;
    if (!budget.isLimited) return;
    const { bytes, isFromHeader } = await estimateLoad(source, load, stay.signal);
    const take = () => {
      stay.memoryBytes = bytes;
      if (isFromHeader) stay.estimatedBytes = bytes;
    };
    await budget.reserve(holder, { bytes, signal: stay.signal, take });
  }
}

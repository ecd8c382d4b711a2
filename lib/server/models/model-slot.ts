import { type LoadProgress, loadModel, type Model } from '../../index.js';
import { RequestError } from '../failures.js';
import type { ModelState, ServedLoadOptions, ServedModel, ServedModelOptions } from './types.js';

/** How a model gets into memory; another one in tests. */
export type LoadServedModel = typeof loadModel;

/** What a slot is made of: names are settled, options are merged. */
export interface SlotSettings {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly options: ServedModelOptions;
  readonly load: ServedLoadOptions;
  readonly loadTimeoutMs: number;
}

/** One model of a server: it comes and goes, its place stays. */
export class ModelSlot implements ServedModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly source: string;
  readonly pinned: boolean;
  readonly createdSeconds = Math.floor(Date.now() / 1000);
  state: ModelState = 'unloaded';
  lastUsedMs: number | undefined;
  inFlight = 0;
  progress: LoadProgress | undefined;
  error: string | undefined;
  model: Model | undefined;
  readonly #settings: SlotSettings;
  readonly #loadModel: LoadServedModel;
  readonly #onChange: (slot: ModelSlot) => void;
  #loading: Promise<Model> | undefined;
  #unloading: Promise<void> | undefined;
  /** Told when the last request has let go. */
  #idle: (() => void)[] = [];

  constructor(
    settings: SlotSettings,
    onChange: (slot: ModelSlot) => void,
    load: LoadServedModel = loadModel,
  ) {
    this.name = settings.name;
    this.aliases = settings.aliases;
    this.source = settings.options.source;
    this.pinned = settings.options.pinned ?? false;
    this.#settings = settings;
    this.#onChange = onChange;
    this.#loadModel = load;
  }

  /**
   * The model, loaded if it is not; it stays until the caller lets go of it with {@link release}.
   * @throws RequestError when the signal fires or loading takes too long; what loading failed with.
   */
  async acquire(signal: AbortSignal): Promise<Model> {
    this.inFlight += 1;
    this.lastUsedMs = Date.now();
    try {
      return this.model ?? (await this.#waitFor(this.load(), signal));
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Lets go of the model. */
  release(): void {
    this.inFlight -= 1;
    this.lastUsedMs = Date.now();
    if (this.inFlight > 0) return;
    for (const tell of this.#idle.splice(0)) tell();
  }

  /** Loads the model unless it is there. Calls share one attempt; a failed one may be repeated. */
  load(): Promise<Model> {
    if (this.model !== undefined) return Promise.resolve(this.model);
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Gives the memory back once no request uses the model any more. */
  unload(): Promise<void> {
    this.#unloading ??= this.#unload().finally(() => {
      this.#unloading = undefined;
    });
    return this.#unloading;
  }

  async #load(): Promise<Model> {
    await this.#unloading;
    this.#become('loading');
    this.error = undefined;
    try {
      const model = await this.#loadModel(this.source, {
        ...this.#settings.load,
        onProgress: (progress) => {
          this.progress = progress;
          this.#onChange(this);
        },
      });
      this.model = model;
      this.#become('ready');
      return model;
    } catch (error) {
      this.error = error instanceof Error ? error.message : String(error);
      this.#become('failed');
      throw error;
    }
  }

  async #unload(): Promise<void> {
    await this.#loading?.catch(() => {}); // whoever asked for it hears of it
    const { model } = this;
    if (model === undefined) return;
    this.model = undefined; // later requests load it again
    this.#become('unloading');
    if (this.inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await model.close();
    this.#become('unloaded');
  }

  #become(state: ModelState): void {
    this.state = state;
    this.progress = undefined;
    this.#onChange(this);
  }

  /** Waits for a load, for a bounded time. The load goes on without this request. */
  #waitFor(loading: Promise<Model>, signal: AbortSignal): Promise<Model> {
    const { loadTimeoutMs } = this.#settings;
    return new Promise((resolve, reject) => {
      const giveUp = () => settle(() => reject(signal.reason));
      const timer = setTimeout(() => {
        const message = `The model ${this.name} is still loading after ${loadTimeoutMs} ms. Try again later.`;
        settle(() =>
          reject(new RequestError('overloaded', 'model_loading', message, { retryAfterSeconds: 5 })),
        );
      }, loadTimeoutMs);
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        finish();
      };
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
      loading.then(
        (model) => settle(() => resolve(model)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }
}

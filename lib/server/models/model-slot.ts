import { LlamaNativeError, type LoadProgress, type Model } from '../../index.js';
import { RequestError, serverClosing } from '../failures.js';
import { LoadAttempts } from './load-attempts.js';
import { notLoaded, stillLoading, unloadedMeanwhile } from './load-failures.js';
import type { MemoryBudget, MemoryHolder } from './memory-budget.js';
import { type LoadServedModel, ModelLoader } from './model-loader.js';
import { ModelStay } from './model-stay.js';
import type { ModelState, ServedLoadOptions, ServedModel, ServedModelOptions } from './types.js';
import { waitFor } from './wait.js';

/** What a slot is made of: names are settled, options are merged. */
export interface SlotSettings {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly options: ServedModelOptions;
  readonly load: ServedLoadOptions;
  readonly loadTimeoutMs: number;
  /** Whether it was added while the server ran. */
  readonly added: boolean;
}

/** What a slot needs of the pool that it is in. */
export interface SlotSurroundings {
  readonly budget: MemoryBudget;
  /** Told of another state, and of progress. Must not throw. */
  readonly onChange: (slot: ModelSlot) => void;
  readonly loadModel?: LoadServedModel;
}

/** The right to make a model work, until it is released. */
export interface ModelLease {
  readonly model: Model;
  readonly release: () => void;
}

/** One model of a server: it comes and goes, its place stays. */
export class ModelSlot implements ServedModel, MemoryHolder {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly source: string;
  readonly pinned: boolean;
  readonly added: boolean;
  readonly sequences: number;
  readonly createdSeconds = Math.floor(Date.now() / 1000);
  state: ModelState = 'unloaded';
  lastUsedMs: number | undefined;
  inFlight = 0;
  progress: LoadProgress | undefined;
  error: string | undefined;
  crashes = 0;
  readonly #settings: SlotSettings;
  readonly #onChange: (slot: ModelSlot) => void;
  readonly #loader: ModelLoader;
  readonly #attempts = new LoadAttempts();
  /** The stay that requests get their model from. */
  #stay: ModelStay | undefined;
  /** Stays that end; the next one begins when they have. */
  readonly #leaving = new Map<ModelStay, Promise<void>>();
  #closed = false;

  constructor(settings: SlotSettings, { onChange, ...loading }: SlotSurroundings) {
    this.name = settings.name;
    this.aliases = settings.aliases;
    this.source = settings.options.source;
    this.pinned = settings.options.pinned ?? false;
    this.added = settings.added;
    this.sequences = settings.load.sequences ?? 1;
    this.#settings = settings;
    this.#onChange = onChange;
    this.#loader = new ModelLoader({ source: this.source, load: settings.load, ...loading });
  }

  get model(): Model | undefined {
    return this.state === 'ready' ? this.#stay?.model : undefined;
  }

  get memoryBytes(): number | undefined {
    const isKnown = [...this.#stays()].every(({ memoryBytes }) => memoryBytes !== undefined);
    return isKnown ? this.heldBytes : undefined;
  }

  get heldBytes(): number {
    return [...this.#stays()].reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0);
  }

  get evictableBytes(): number {
    return this.isIdle ? (this.#stay?.memoryBytes ?? 0) : 0;
  }

  get isIdle(): boolean {
    return this.state === 'ready' && this.#stay?.leases === 0;
  }

  get leftAloneSinceMs(): number {
    return Math.max(this.lastUsedMs ?? 0, this.#stay?.readySinceMs ?? 0);
  }

  /**
   * The model, loaded if it is not; it stays until the lease is released.
   * @throws RequestError when loading fails or takes too long; the signal's reason when it fires.
   */
  async acquire(signal: AbortSignal): Promise<ModelLease> {
    signal.throwIfAborted();
    const stay = this.#stayForRequest();
    const release = this.#enter(stay);
    try {
      return { model: this.model ?? (await this.#untilReady(stay, signal)), release };
    } catch (error) {
      release();
      if (signal.aborted) throw signal.reason;
      throw notLoaded(this.name, error, this.#attempts.pauseMs(Date.now()));
    }
  }

  /**
   * Loads the model unless it is there. Calls share one attempt; a failed one may be repeated.
   * @throws what loading failed with.
   */
  load(): Promise<Model> {
    if (this.#closed) return Promise.reject(serverClosing());
    return (this.#stay ?? this.#begin()).ready;
  }

  /**
   * Gives the memory back once no request uses the model any more. A load is stopped, and who waits for it is told so;
   * later requests load the model again.
   */
  async unload(reason: unknown = unloadedMeanwhile(this.name)): Promise<void> {
    if (this.#stay !== undefined) this.#leave(this.#stay, reason, 'unloading');
    else if (this.state === 'failed') this.#become('unloaded');
    await Promise.all(this.#leaving.values());
  }

  async evict(): Promise<void> {
    const stay = this.#stay;
    if (stay === undefined || !this.isIdle) return;
    this.#leave(stay, unloadedMeanwhile(this.name), 'unloading');
    await this.#leaving.get(stay);
  }

  async settle(): Promise<void> {
    const idle = [...this.#leaving].filter(([stay]) => stay.leases === 0);
    await Promise.all(idle.map(([, gone]) => gone));
  }

  /** Unloads for good, without regard to requests that still use the model. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#stay !== undefined) this.#leave(this.#stay, serverClosing(), 'unloading');
    for (const stay of this.#leaving.keys()) stay.endNow();
    await Promise.all(this.#leaving.values());
  }

  *#stays(): Iterable<ModelStay> {
    yield* this.#leaving.keys();
    if (this.#stay !== undefined) yield this.#stay;
  }

  #stayForRequest(): ModelStay {
    if (this.#closed) throw serverClosing();
    const pauseMs = this.#attempts.pauseMs(Date.now());
    if (this.#stay === undefined && pauseMs > 0) throw notLoaded(this.name, this.error, pauseMs);
    return this.#stay ?? this.#begin();
  }

  #untilReady(stay: ModelStay, signal: AbortSignal): Promise<Model> {
    const { loadTimeoutMs: milliseconds } = this.#settings;
    return waitFor(stay.ready, signal, {
      milliseconds,
      tooLate: () => stillLoading(this.name, milliseconds),
    });
  }

  #enter(stay: ModelStay): () => void {
    const giveBack = stay.take();
    this.inFlight += 1;
    this.lastUsedMs = Date.now();
    return () => {
      this.inFlight -= 1;
      this.lastUsedMs = Date.now();
      giveBack();
      if (this.isIdle) this.#loader.measureAgain(stay);
    };
  }

  #begin(): ModelStay {
    const stay = new ModelStay();
    this.#stay = stay;
    stay.ready = this.#orFail(stay, this.#load(stay));
    return stay;
  }

  async #load(stay: ModelStay): Promise<Model> {
    this.error = undefined;
    this.#become('loading');
    // Two of them would take twice the memory.
    await waitFor(Promise.all(this.#leaving.values()), stay.signal);
    const model = await this.#loader.load(this, stay, (progress) => this.#progressed(stay, progress));
    model.on('crash', () => this.#crashed(stay, model));
    return this.#untilRunning(stay, model);
  }

  async #untilRunning(stay: ModelStay, model: Model): Promise<Model> {
    await this.#loader.untilRunning(stay, model);
    stay.readySinceMs = Date.now();
    this.#attempts.succeeded();
    this.#become('ready');
    return model;
  }

  #progressed(stay: ModelStay, progress: LoadProgress): void {
    if (this.#stay !== stay) return;
    this.progress = progress;
    this.#onChange(this);
  }

  #crashed(stay: ModelStay, model: Model): void {
    this.crashes += 1;
    if (this.#stay !== stay || this.state !== 'ready') return; // it ends, or is started again already
    this.#become('loading');
    stay.ready = this.#orFail(stay, this.#untilRunning(stay, model));
  }

  async #orFail(stay: ModelStay, work: Promise<Model>): Promise<Model> {
    try {
      return await work;
    } catch (error) {
      if (this.#stay !== stay) throw stay.signal.reason; // it was told to end
      this.#fail(stay, error);
      throw error;
    }
  }

  #fail(stay: ModelStay, error: unknown): void {
    const isFull = error instanceof RequestError && error.code === 'no_room';
    this.error = error instanceof Error ? error.message : String(error);
    if (!isFull) this.#attempts.failed(Date.now(), pauseOf(error));
    this.#leave(stay, error, isFull ? 'unloaded' : 'failed');
  }

  /** Takes a stay out of the way of later requests, and lets it end. */
  #leave(stay: ModelStay, reason: unknown, state: ModelState): void {
    this.#stay = undefined;
    const gone = () => {
      this.#leaving.delete(stay);
      if (this.#leaving.size === 0 && this.state === 'unloading') this.#become('unloaded');
    };
    // A model that cannot be closed is none the less gone from here; its process, if it has one, was told to end.
    this.#leaving.set(stay, stay.end(reason).then(gone, gone));
    this.#become(state);
  }

  #become(state: ModelState): void {
    this.state = state;
    this.progress = undefined;
    this.#onChange(this);
  }
}

/** How long the library itself does not try again. */
function pauseOf(error: unknown): number | undefined {
  if (!LlamaNativeError.isInstance(error)) return undefined;
  const { retryAfterMs } = error.details;
  return typeof retryAfterMs === 'number' ? retryAfterMs : undefined;
}

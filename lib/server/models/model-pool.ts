import { EventEmitter } from 'node:events';
import { createError } from '../../errors.js';
import type { Model } from '../../index.js';
import { RequestError, serverClosing } from '../failures.js';
import { removedMeanwhile } from './load-failures.js';
import { MemoryBudget } from './memory-budget.js';
import type { LoadServedModel } from './model-loader.js';
import { namesOf, type SettledNames, settleNames } from './model-names.js';
import { ModelSlot } from './model-slot.js';
import type { ServedLoadOptions, ServedModel, ServedModelOptions } from './types.js';

/** What a pool is made of. */
export interface ModelPoolSettings {
  readonly models: readonly ServedModelOptions[];
  /** Options of all models. */
  readonly load: ServedLoadOptions;
  /** Name of the model that requests without one are for. Default: the first. */
  readonly defaultModel: string | undefined;
  /** How long a request may wait for its model to load. */
  readonly loadTimeoutMs: number;
  /** Memory that loaded models may take together. Default: no limit. */
  readonly memoryBudgetBytes?: number;
}

/** Events of a {@link ModelPool}. */
export interface ModelPoolEvents {
  /** A model's state or progress is another one, or it was added. */
  change: [ServedModel];
  /** A model was removed; what still uses it may go on. */
  remove: [ServedModel];
}

/** The models of a server. */
export class ModelPool extends EventEmitter<ModelPoolEvents> {
  readonly #settings: ModelPoolSettings;
  readonly #load: LoadServedModel | undefined;
  readonly #slots = new Map<string, ModelSlot>();
  readonly #byName = new Map<string, ModelSlot>();
  /** Removed, and still in memory. */
  readonly #removed = new Set<ModelSlot>();
  readonly #budget: MemoryBudget;
  #closing: Promise<void> | undefined;

  /** @throws InvalidArgumentError for names that are used twice, or a default that does not exist. */
  constructor(settings: ModelPoolSettings, load?: LoadServedModel) {
    super();
    this.setMaxListeners(0); // each client that watches listens
    this.#settings = settings;
    this.#load = load;
    const limitBytes = settings.memoryBudgetBytes ?? Number.POSITIVE_INFINITY;
    this.#budget = new MemoryBudget(limitBytes, () => [...this.#slots.values(), ...this.#removed]);
    const names = settleNames(settings.models);
    settings.models.forEach((options, index) => {
      this.#insert(options, names[index] ?? namesOf(options), false);
    });
    const { defaultModel } = settings;
    if (defaultModel !== undefined && !this.#byName.has(defaultModel)) {
      const message = `Expected the name of a model for defaultModel; received ${JSON.stringify(defaultModel)}. There is: ${this.#names()}.`;
      throw createError('INVALID_ARGUMENT', message, { details: { name: 'defaultModel' } });
    }
  }

  /** All models, in the order in which they were named. */
  list(): readonly ServedModel[] {
    return [...this.#slots.values()];
  }

  /** The name of the model that requests without one are for; undefined if there is no model at all. */
  get defaultModel(): string | undefined {
    const { defaultModel } = this.#settings;
    return defaultModel ?? this.#slots.keys().next().value;
  }

  /** @throws RequestError if there is no such model. */
  find(name: string | undefined): ServedModel {
    return this.#slot(name);
  }

  /**
   * Lets a task use a model, which is loaded first if it has to be and stays until the task has ended.
   * @throws RequestError for an unknown model, or one that is not there in time; else what the task throws.
   */
  async use<Result>(
    name: string | undefined,
    signal: AbortSignal,
    task: (model: Model, served: ServedModel) => Promise<Result>,
  ): Promise<Result> {
    const slot = this.#slot(name);
    const { model, release } = await slot.acquire(signal);
    try {
      return await task(model, slot);
    } finally {
      release();
    }
  }

  /**
   * Loads a model now.
   * @throws RequestError if there is no such model, or no room for it; else what loading it failed with.
   */
  async load(name: string): Promise<ServedModel> {
    const slot = this.#slot(name);
    await slot.load();
    return slot;
  }

  /** Loads the models that are to be there from the start, one after the other. What fails says so by its state. */
  async preload(): Promise<void> {
    const wanted = [...this.#slots.values()].filter((_, index) => this.#settings.models[index]?.preload);
    for (const slot of wanted) {
      if (this.#closing !== undefined) return;
      await slot.load().catch(() => {});
    }
  }

  /**
   * Gives a model's memory back when its requests have ended. A load is stopped. The next request loads the model again.
   * @throws RequestError if there is no such model.
   */
  async unload(name: string): Promise<ServedModel> {
    const slot = this.#slot(name);
    await slot.unload();
    return slot;
  }

  /**
   * Offers one more model, which is not loaded yet. Adding the same again changes nothing.
   * @throws RequestError if another model has one of its names.
   */
  add(options: ServedModelOptions): ServedModel {
    if (this.#closing !== undefined) throw serverClosing();
    const names = namesOf(options);
    const same = this.#slots.get(names.name);
    if (same?.source === options.source) return same;
    for (const name of [names.name, ...names.aliases]) {
      const owner = this.#byName.get(name);
      if (owner === undefined) continue;
      const message = `There is a model ${name} already${owner.name === name ? '' : `, an alias of ${owner.name}`}. Give another \`name\`.`;
      throw new RequestError('invalid-request', 'model_exists', message, { param: 'name', status: 409 });
    }
    const slot = this.#insert(options, names, true);
    this.#tell('change', slot);
    return slot;
  }

  /**
   * Takes a model back that was added. Requests that use it may end; those that wait for it are told.
   * @returns when its memory is given back.
   * @throws RequestError if there is no such model, or if it is one that the server was started with.
   */
  async remove(name: string): Promise<void> {
    const slot = this.#slot(name);
    if (!slot.added) {
      const message = `The model ${slot.name} is one that the server was started with. Unload it, or leave it out of \`models\`.`;
      throw new RequestError('forbidden', 'model_not_removable', message, { param: 'model' });
    }
    this.#slots.delete(slot.name);
    for (const known of [slot.name, ...slot.aliases]) this.#byName.delete(known);
    this.#removed.add(slot);
    this.#tell('remove', slot);
    await slot.unload(removedMeanwhile(slot.name));
    this.#removed.delete(slot);
  }

  /** Unloads all models; what still uses one of them fails. Nothing is loaded any more. */
  close(): Promise<void> {
    const slots = [...this.#slots.values(), ...this.#removed];
    this.#closing ??= Promise.all(slots.map((slot) => slot.close())).then(() => {});
    return this.#closing;
  }

  #insert(options: ServedModelOptions, { name, aliases }: SettledNames, added: boolean): ModelSlot {
    const { load, loadTimeoutMs } = this.#settings;
    const slot = new ModelSlot(
      { name, aliases, options, load: { ...load, ...options.load }, loadTimeoutMs, added },
      {
        budget: this.#budget,
        onChange: (changed) => {
          if (!this.#removed.has(changed)) this.#tell('change', changed);
        },
        ...(this.#load !== undefined && { loadModel: this.#load }),
      },
    );
    this.#slots.set(name, slot);
    for (const known of [name, ...aliases]) this.#byName.set(known, slot);
    return slot;
  }

  /** What a listener throws is its own trouble, not that of the model whose state has just become another one. */
  #tell(event: 'change' | 'remove', slot: ModelSlot): void {
    try {
      this.emit(event, slot);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #names(): string {
    return [...this.#slots.keys()].join(', ') || 'none';
  }

  #slot(name: string | undefined): ModelSlot {
    const wanted = name ?? this.defaultModel;
    const slot = wanted === undefined ? undefined : this.#byName.get(wanted);
    if (slot !== undefined) return slot;
    const message =
      wanted === undefined
        ? 'The server has no model. Load one first.'
        : `The model ${JSON.stringify(wanted)} does not exist here. There is: ${this.#names()}.`;
    throw new RequestError('not-found', 'model_not_found', message, { param: 'model' });
  }
}

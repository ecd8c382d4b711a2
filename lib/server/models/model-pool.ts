import { EventEmitter } from 'node:events';
import type { Model } from '../../index.js';
import { RequestError } from '../failures.js';
import { settleNames } from './model-names.js';
import { type LoadServedModel, ModelSlot } from './model-slot.js';
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
}

/** Events of a {@link ModelPool}. */
export interface ModelPoolEvents {
  /** A model's state or progress is another one. */
  change: [ServedModel];
}

/** The models of a server. */
export class ModelPool extends EventEmitter<ModelPoolEvents> {
  readonly #slots = new Map<string, ModelSlot>();
  readonly #byName = new Map<string, ModelSlot>();
  readonly #defaultModel: string | undefined;

  /** @throws InvalidArgumentError for names that are used twice, or a default that does not exist. */
  constructor(settings: ModelPoolSettings, load?: LoadServedModel) {
    super();
    const names = settleNames(settings.models);
    settings.models.forEach((options, index) => {
      const { name, aliases } = names[index] ?? { name: options.source, aliases: [] };
      const slot = new ModelSlot(
        {
          name,
          aliases,
          options,
          load: { ...settings.load, ...options.load },
          loadTimeoutMs: settings.loadTimeoutMs,
        },
        (changed) => this.emit('change', changed),
        load,
      );
      this.#slots.set(name, slot);
      for (const known of [name, ...aliases]) this.#byName.set(known, slot);
    });
    this.#defaultModel = settings.defaultModel ?? names[0]?.name;
  }

  /** All models, in the order in which they were named. */
  list(): readonly ServedModel[] {
    return [...this.#slots.values()];
  }

  /** The name of the model that requests without one are for; undefined if there is no model at all. */
  get defaultModel(): string | undefined {
    return this.#defaultModel;
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
    const model = await slot.acquire(signal);
    try {
      return await task(model, slot);
    } finally {
      slot.release();
    }
  }

  /** Loads a model now. */
  async load(name: string): Promise<ServedModel> {
    const slot = this.#slot(name);
    await slot.load();
    return slot;
  }

  /** Gives a model's memory back when its requests have ended; the next request loads it again. */
  async unload(name: string): Promise<ServedModel> {
    const slot = this.#slot(name);
    await slot.unload();
    return slot;
  }

  /** Unloads all models. */
  async close(): Promise<void> {
    await Promise.all([...this.#slots.values()].map((slot) => slot.unload()));
  }

  #slot(name: string | undefined): ModelSlot {
    const wanted = name ?? this.#defaultModel;
    const slot = wanted === undefined ? undefined : this.#byName.get(wanted);
    if (slot !== undefined) return slot;
    const known = [...this.#slots.keys()].join(', ');
    const message =
      wanted === undefined
        ? 'The server has no model. Load one first.'
        : `The model ${JSON.stringify(wanted)} does not exist here. There is: ${known || 'none'}.`;
    throw new RequestError('not-found', 'model_not_found', message, { param: 'model' });
  }
}

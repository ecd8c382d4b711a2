import type { LoadModelOptions, LoadProgress, Model } from '../../index.js';

/** A model that a server offers. */
export interface ServedModelOptions {
  /** A path, `hf:owner/repo[:file-or-quantization]`, or an https URL. */
  source: string;
  /** What clients call it. Default: the file's or repository's name, without `.gguf`. */
  name?: string;
  /** Other names for it, such as those that a client has built in. Default: none. */
  aliases?: readonly string[];
  /** Load it when the server starts instead of at the first request. Default: true for the first model only. */
  preload?: boolean;
  /** Never unload it to make room for another model. Default false. */
  pinned?: boolean;
  /** Options of this model that differ from those of all models. */
  load?: ServedLoadOptions;
}

/** Options of `loadModel` that make sense for a model that a server loads. */
export type ServedLoadOptions = Omit<LoadModelOptions, 'onProgress' | 'signal' | 'vocabOnly'>;

/**
 * Where in its life a served model is. One whose engine crashed is `loading` until the engine runs again; one that could
 * not be loaded is `failed`, and is tried again by a later request.
 */
export type ModelState = 'unloaded' | 'loading' | 'ready' | 'unloading' | 'failed';

/** A served model, as others may know it. */
export interface ServedModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly source: string;
  readonly state: ModelState;
  readonly pinned: boolean;
  /** It was added while the server ran, and may be removed again. */
  readonly added: boolean;
  /** Seconds since 1970 at which the server took it up. */
  readonly createdSeconds: number;
  /** Milliseconds since 1970 of its last use; undefined if it was never used. */
  readonly lastUsedMs: number | undefined;
  /** Requests that it can work on at once. */
  readonly sequences: number;
  /** Requests that use it now, or wait for it. */
  readonly inFlight: number;
  /**
   * Memory that it is counted with, in bytes; 0 while nothing of it is in memory. That of its engine's process, or what
   * was estimated from its file, whichever is more; undefined where neither is known.
   */
  readonly memoryBytes: number | undefined;
  /** How often its engine crashed since the server began. */
  readonly crashes: number;
  /** While it is loading. */
  readonly progress: LoadProgress | undefined;
  /** Why it could not be loaded, if the last attempt failed. */
  readonly error: string | undefined;
  /** The model, while it is ready. Only whoever holds a lease may make it work. */
  readonly model: Model | undefined;
}

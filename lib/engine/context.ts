import { checkCacheType, checkInteger, checkKeys, invalidArgument, toTokenArray } from '../arguments.js';
import { checkSamplingOptions, toNativeSampling } from '../generate/check-options.js';
import type { SamplingOptions } from '../generate/sampling-options.js';
import {
  addonOf,
  type CacheType,
  type ModelHandle,
  type NativeAppliedAdapter,
  type NativeContext,
  type SamplerHandle,
} from '../native/addon.js';
import { explainContextFailure } from './context-failure.js';

/** Options of {@link Model.createContext}. */
export interface ContextOptions {
  /** Tokens held in the KV cache, all sequences together. Default: that of the model. */
  contextSize?: number;
  /** Most tokens evaluated in one step. Default: that of the model. */
  batchSize?: number;
  /** Number of sequences, 1 to 256. Default 1. */
  sequences?: number;
  /** Threads, 1 to 512. Default: those of the model. */
  threads?: number;
  /** Type of the cached keys; see {@link LoadModelOptions.keyType}. Default `f16`. */
  keyType?: CacheType;
  /** Type of the cached values; see {@link LoadModelOptions.valueType}. Default `f16`. */
  valueType?: CacheType;
}

/** Options of {@link Context.eval}. */
export interface EvalOptions {
  /** The sequence to continue. Default 0. */
  sequence?: number;
  /** Which tokens get logits: `'all'` allows at most `batchSize` tokens a call. Default `'last'`. */
  logits?: 'last' | 'all';
}

/** Defaults a context takes from its model. */
export interface ContextDefaults {
  readonly contextSize: number;
  readonly batchSize: number;
  readonly threads: number;
  readonly adapters: readonly NativeAppliedAdapter[];
}

const contextKeys = ['contextSize', 'batchSize', 'sequences', 'threads', 'keyType', 'valueType'];

/**
 * Checks the options of a context.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkContextOptions(options: ContextOptions): void {
  checkKeys('context options', options, contextKeys);
  checkInteger('contextSize', options.contextSize, 1, 0x7fffffff);
  checkInteger('batchSize', options.batchSize, 1, 65536);
  checkInteger('sequences', options.sequences, 1, 256);
  checkInteger('threads', options.threads, 1, 512);
  checkCacheType('keyType', options.keyType);
  checkCacheType('valueType', options.valueType);
}

/**
 * Chooses tokens for {@link Context.sample}. It remembers what it chose, for the penalties.
 */
export class Sampler {
  /** @internal */
  readonly handle: SamplerHandle;

  private constructor(handle: SamplerHandle) {
    this.handle = handle;
  }

  /** @internal */
  static async create(model: ModelHandle, options: SamplingOptions): Promise<Sampler> {
    checkSamplingOptions(options);
    return new Sampler(await addonOf(model).createSampler(model, toNativeSampling(options)));
  }

  /** @internal Called when the model closes; later use is refused. */
  close(): void {
    addonOf(this.handle).closeSampler(this.handle);
  }
}

/**
 * The low-level primitives: evaluate tokens, look at logits, sample, and rearrange the KV cache. Calls run in the
 * order they are made, on a thread of their own.
 *
 * @example
 * ```ts
 * const context = await model.createContext({ contextSize: 512 });
 * const sampler = await model.createSampler({ temperature: 0 });
 * await context.eval(await model.tokenize('The sky is'));
 * const token = await context.sample(sampler);
 * await context.close();
 * ```
 */
export class Context {
  readonly #native: NativeContext;
  #closing: Promise<void> | undefined;

  private constructor(native: NativeContext) {
    this.#native = native;
  }

  /** @internal @throws ContextError CONTEXT_CREATE_FAILED, OUT_OF_MEMORY. */
  static async create(
    model: ModelHandle,
    options: ContextOptions,
    defaults: ContextDefaults,
  ): Promise<Context> {
    const merged = { sequences: 1, ...defaults, ...options };
    try {
      return new Context(await addonOf(model).createContext(model, merged, () => {}));
    } catch (error) {
      throw explainContextFailure(error, merged.contextSize, 'a smaller contextSize or batchSize');
    }
  }

  /** Tokens the KV cache holds; what was asked for, rounded up to a multiple of 256. */
  get contextSize(): number {
    return this.#native.contextSize;
  }

  /** Most tokens evaluated in one step. */
  get batchSize(): number {
    return this.#native.batchSize;
  }

  /** Number of sequences. */
  get sequences(): number {
    return this.#native.sequences;
  }

  /** Whether positions can be shifted with {@link shiftPositions}. */
  get canShift(): boolean {
    return this.#native.canShift;
  }

  /**
   * Evaluates tokens at the end of a sequence.
   * @throws ContextError CONTEXT_FULL when the KV cache has no room; the tokens before the failing batch stay.
   * @throws InvalidArgumentError INVALID_TOKEN, INVALID_SEQUENCE.
   */
  async eval(tokens: Int32Array | readonly number[], options: EvalOptions = {}): Promise<void> {
    checkKeys('eval options', options, ['sequence', 'logits']);
    const { sequence = 0, logits = 'last' } = options;
    if (logits !== 'last' && logits !== 'all') throw invalidArgument('logits', "'last' or 'all'", logits);
    await addonOf(this.#native.handle).eval(
      this.#native.handle,
      toTokenArray('tokens', tokens),
      sequence,
      -1,
      logits === 'all',
    );
  }

  /**
   * The logits of a token of the last `eval`: one number for each token of the vocabulary.
   * @param index position in the last `eval`, negative from the end. Default −1, the last token.
   * @throws ContextError NO_LOGITS if that token was not evaluated with logits.
   */
  async logits(index = -1): Promise<Float32Array> {
    return addonOf(this.#native.handle).getLogits(this.#native.handle, index);
  }

  /**
   * Chooses the next token from the logits of a token of the last `eval`. It is not evaluated yet.
   * @throws ContextError NO_LOGITS if that token was not evaluated with logits.
   */
  async sample(sampler: Sampler, index = -1): Promise<number> {
    if (!(sampler instanceof Sampler))
      throw invalidArgument('sampler', 'a Sampler of model.createSampler()', sampler);
    return addonOf(this.#native.handle).sample(this.#native.handle, sampler.handle, index);
  }

  /**
   * Removes the tokens at positions `from` up to, not including, `to` of a sequence.
   * @returns false if this model's memory cannot be cut there; then nothing changed.
   */
  async removeTokens(sequence: number, from = 0, to = -1): Promise<boolean> {
    return this.#change('remove', sequence, sequence, from, to);
  }

  /** Makes `target` hold the first `length` tokens of `source` (all by default), sharing the memory. */
  async copySequence(source: number, target: number, length = -1): Promise<void> {
    await this.#change('copy', source, target, 0, length);
  }

  /** Removes all other sequences. */
  async keepSequence(sequence: number): Promise<void> {
    await this.#change('keep', sequence, sequence, -1, -1);
  }

  /** Removes everything. */
  async clear(): Promise<void> {
    await this.#change('clear', 0, 0, -1, -1);
  }

  /**
   * Adds `delta` to the positions `from` up to, not including, `to` of a sequence that shares no tokens.
   * @throws ContextError MODEL_UNSUPPORTED if the model's positions cannot be shifted (see {@link canShift}).
   */
  async shiftPositions(sequence: number, from: number, to: number, delta: number): Promise<void> {
    await this.#change('shift', sequence, sequence, from, to, delta);
  }

  /** The position that the next token of a sequence gets: the number of its tokens, unless some were cut out. */
  async nextPosition(sequence = 0): Promise<number> {
    const [, last] = await addonOf(this.#native.handle).getSequenceRange(this.#native.handle, sequence);
    return last + 1;
  }

  /** The state of a sequence as bytes, with a checksum and the fingerprint of the model. */
  async saveSequence(sequence = 0): Promise<Uint8Array> {
    return addonOf(this.#native.handle).saveSequence(this.#native.handle, sequence);
  }

  /**
   * Puts saved state into a sequence, in place of what it holds.
   * @throws ContextError STATE_INVALID if the bytes are damaged or were made by another model or version, or with
   *   other cache types; CONTEXT_FULL if the KV cache has no room for it.
   */
  async restoreSequence(state: Uint8Array, sequence = 0): Promise<void> {
    if (!(state instanceof Uint8Array)) throw invalidArgument('state', 'a Uint8Array', state);
    await addonOf(this.#native.handle).restoreSequence(this.#native.handle, sequence, new Uint8Array(state));
  }

  /**
   * Frees the memory. An evaluation that runs is broken off with CLOSED; calls that were waiting are settled. Closing
   * twice is allowed.
   */
  close(): Promise<void> {
    this.#closing ??= addonOf(this.#native.handle).closeContext(this.#native.handle);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #change(
    operation: 'remove' | 'copy' | 'keep' | 'clear' | 'shift',
    sequence: number,
    target: number,
    from: number,
    to: number,
    delta = 0,
  ): Promise<boolean> {
    return addonOf(this.#native.handle).changeMemory(
      this.#native.handle,
      operation,
      sequence,
      target,
      from,
      to,
      delta,
    );
  }
}

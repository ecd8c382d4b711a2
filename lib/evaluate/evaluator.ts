import { abortError } from '../arguments.js';
import { explainContextFailure } from '../engine/context-failure.js';
import { createError, LlamaNativeError } from '../errors.js';
import { checkCacheFits } from '../model/cache-size.js';
import {
  addonOf,
  type ModelHandle,
  type NativeAppliedAdapter,
  type NativeContext,
  type NativeImatrixEntry,
  type NativeScoreRequest,
  type NativeScores,
} from '../native/addon.js';
import { evaluatorSizes } from './evaluator-sizes.js';

/** What an evaluator is made for. */
export interface EvaluatorSettings {
  /** Tokens of a window. */
  readonly window: number;
  /** The first token of a window whose successor is scored. */
  readonly first: number;
  /** Collects an importance matrix: of the layers, or of the output matrix too. */
  readonly collects?: 'blocks' | 'blocks and output';
}

/** What it takes from its model. */
export interface EvaluatorDefaults {
  readonly threads: number;
  readonly adapters: readonly NativeAppliedAdapter[];
}

/** Evaluates windows of a text, several at once, in a context of its own. */
export class Evaluator {
  readonly #native: NativeContext;
  #closing: Promise<void> | undefined;

  private constructor(native: NativeContext) {
    this.#native = native;
  }

  /** @throws ContextError OUT_OF_MEMORY, CONTEXT_CREATE_FAILED. */
  static async create(
    model: ModelHandle,
    settings: EvaluatorSettings,
    defaults: EvaluatorDefaults,
  ): Promise<Evaluator> {
    const { vocabularySize } = addonOf(model).getModelInfo(model);
    const sizes = evaluatorSizes(settings, vocabularySize);
    checkCacheFits(model, sizes.contextSize);
    const { collects } = settings;
    const options = {
      ...sizes,
      ...defaults,
      separateSequences: true,
      ...(collects === undefined ? {} : { collects }),
    };
    try {
      return new Evaluator(await addonOf(model).createContext(model, options, () => {}));
    } catch (error) {
      throw explainContextFailure(error, sizes.contextSize, 'a smaller contextSize, or fewer gpuLayers');
    }
  }

  /** Windows that fit in one call. */
  get sequences(): number {
    return this.#native.sequences;
  }

  /**
   * Scores windows. A signal ends it at once, and the evaluator with it.
   * @throws ContextError DECODE_FAILED, ClosedError, AbortError.
   */
  async score(request: NativeScoreRequest, signal: AbortSignal | undefined): Promise<NativeScores> {
    if (signal?.aborted) throw abortError(signal, 'The evaluation');
    const onAbort = () => void this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await addonOf(this.#native.handle).scoreWindows(this.#native.handle, request);
    } catch (error) {
      if (signal?.aborted) throw abortError(signal, 'The evaluation');
      throw isClosed(error) ? createError('CLOSED', 'The model was closed during the evaluation.') : error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** What was collected until now. */
  getImatrix(): Promise<NativeImatrixEntry[]> {
    return addonOf(this.#native.handle).getImatrix(this.#native.handle);
  }

  /** Breaks off what runs and gives the memory back. */
  close(): Promise<void> {
    this.#closing ??= addonOf(this.#native.handle).closeContext(this.#native.handle);
    return this.#closing;
  }
}

function isClosed(error: unknown): boolean {
  return LlamaNativeError.isInstance(error) && error.code === 'CLOSED';
}

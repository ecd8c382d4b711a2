import { totalmem } from 'node:os';
import { abortError } from '../arguments.js';
import { createError } from '../errors.js';
import { checkCacheFits } from '../model/cache-size.js';
import {
  addonOf,
  type ModelHandle,
  type NativeAppliedAdapter,
  type NativeModelInfo,
} from '../native/addon.js';
import { EmbeddingQueue } from './embedding-queue.js';
import { prepareTexts } from './prepare-texts.js';
import type { EmbedOptions, Pooling } from './types.js';

/** What an embedder takes from its model. */
export interface EmbedderSettings {
  /** Tokens of the model's context; undefined if it has none. */
  readonly contextSize: number | undefined;
  readonly batchSize: number;
  readonly threads: number;
  readonly adapters: readonly NativeAppliedAdapter[];
}

/** Sequence ids that llama.cpp has: LLAMA_MAX_SEQ. */
const attentionSequences = 256;
/** Recurrent models hold a state of megabytes for each sequence. */
const recurrentSequences = 4;

/** Values of `enum llama_pooling_type`, which files hold under the key `pooling_type`. */
const poolingsOfFiles: Readonly<Record<string, Pooling | 'rank'>> = {
  '1': 'mean',
  '2': 'cls',
  '3': 'last',
  '4': 'rank',
};

/** Computes the embeddings of a model, with one queue and context for each pooling in use. */
export class Embedder {
  readonly #model: ModelHandle;
  readonly #settings: EmbedderSettings;
  readonly #info: NativeModelInfo;
  readonly #queues = new Map<Pooling, EmbeddingQueue>();
  #closed = false;

  /** @throws ModelLoadError MODEL_UNSUPPORTED for a model whose embeddings llama.cpp does not compute. */
  constructor(model: ModelHandle, settings: EmbedderSettings) {
    this.#model = model;
    this.#settings = settings;
    this.#info = addonOf(model).getModelInfo(model);
    if (this.#info.hasEncoder && this.#info.hasDecoder) {
      throw createError(
        'MODEL_UNSUPPORTED',
        `llama.cpp computes no embeddings with models of an encoder and a decoder, such as ${this.#architecture}. ` +
          'Take a model with one of them.',
      );
    }
  }

  /** The embeddings of checked texts under checked options, in their order. */
  async embed(texts: readonly string[], options: EmbedOptions): Promise<Float32Array[]> {
    const { pooling = this.#ownPooling(), normalize = true, truncate = false, onProgress, signal } = options;
    if (signal?.aborted) throw abortError(signal, 'Embedding');
    const [specialTokens = new Int32Array(), ...lists] = await addonOf(this.#model).tokenize(
      this.#model,
      ['', ...texts],
      true,
      false,
    );
    const prepared = prepareTexts(lists, { longest: this.#longestText(), truncate, specialTokens });
    if (signal?.aborted) throw abortError(signal, 'Embedding');

    const onBatch = (completed: number) => onProgress?.({ completed, total: texts.length });
    const { embeddings, cancel } = this.#queue(pooling).add({ texts: prepared, normalize, onBatch });
    const onAbort = () => signal && cancel(abortError(signal, 'Embedding'));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await embeddings;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Ends what runs and gives the memory back. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  get #architecture(): string {
    return this.#info.keys['general.architecture'] ?? 'unknown';
  }

  #ownPooling(): Pooling {
    const own = poolingsOfFiles[this.#info.keys[`${this.#architecture}.pooling_type`] ?? ''] ?? 'mean';
    if (own !== 'rank') return own;
    throw createError(
      'MODEL_UNSUPPORTED',
      'This model is made for ranking: it gives a score to a pair of texts and has no embedding of its own. Take an ' +
        "embedding model, or choose how its tokens are pooled with { pooling: 'cls' }.",
    );
  }

  /** Beyond the trained length a table of learned positions has no rows, and llama.cpp would abort. */
  #longestText(): number {
    const trained = this.#info.trainedContextSize || Number.POSITIVE_INFINITY;
    return Math.min(trained, this.#settings.contextSize ?? trained);
  }

  #queue(pooling: Pooling): EmbeddingQueue {
    if (this.#closed) throw createError('CLOSED', 'The model is closed. Load it again to use it.');
    const existing = this.#queues.get(pooling);
    if (existing !== undefined) return existing;
    const { threads, adapters } = this.#settings;
    const queue = new EmbeddingQueue(this.#model, {
      pooling,
      threads,
      adapters,
      batchSize: Math.min(this.#settings.batchSize, this.#longestText()),
      sequences: this.#info.isRecurrent ? recurrentSequences : attentionSequences,
      checkFits: (contextSize) => this.#checkFits(contextSize),
    });
    this.#queues.set(pooling, queue);
    return queue;
  }

  /** llama.cpp computes and keeps the logits of every token of the batch, also for embeddings. */
  #checkFits(contextSize: number): void {
    checkCacheFits(this.#model, contextSize);
    const neededBytes = contextSize * this.#info.vocabularySize * Float32Array.BYTES_PER_ELEMENT;
    const availableBytes = totalmem();
    if (neededBytes <= availableBytes) return;
    const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
    throw createError(
      'OUT_OF_MEMORY',
      `Embedding a text of ${contextSize} tokens needs ${gigabytes(neededBytes)} GB for llama.cpp's output; this ` +
        `machine has ${gigabytes(availableBytes)} GB in all. Split the text.`,
      { details: { contextSize, neededBytes, availableBytes } },
    );
  }
}

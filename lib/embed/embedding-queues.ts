import { totalmem } from 'node:os';
import { createError } from '../errors.js';
import { checkCacheFits } from '../model/cache-size.js';
import {
  addonOf,
  type ModelHandle,
  type NativeAppliedAdapter,
  type NativeModelInfo,
  type NativePooling,
} from '../native/addon.js';
import { EmbeddingQueue } from './embedding-queue.js';

/** What embeddings and scores take from their model. */
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

/** The queues of a model, with one queue and context for each pooling in use. */
export class EmbeddingQueues {
  readonly #model: ModelHandle;
  readonly #settings: EmbedderSettings;
  readonly #info: NativeModelInfo;
  readonly #queues = new Map<NativePooling, EmbeddingQueue>();
  #closed = false;

  constructor(model: ModelHandle, settings: EmbedderSettings) {
    this.#model = model;
    this.#settings = settings;
    this.#info = addonOf(model).getModelInfo(model);
  }

  /** Beyond the trained length a table of learned positions has no rows, and llama.cpp would abort. */
  get longestText(): number {
    const trained = this.#info.trainedContextSize || Number.POSITIVE_INFINITY;
    return Math.min(trained, this.#settings.contextSize ?? trained);
  }

  /** The queue of a pooling, made when it is first asked for. @throws ClosedError. */
  of(pooling: NativePooling): EmbeddingQueue {
    if (this.#closed) throw createError('CLOSED', 'The model is closed. Load it again to use it.');
    const existing = this.#queues.get(pooling);
    if (existing !== undefined) return existing;
    const { threads, adapters } = this.#settings;
    const queue = new EmbeddingQueue(this.#model, {
      pooling,
      threads,
      adapters,
      batchSize: Math.min(this.#settings.batchSize, this.longestText),
      sequences: this.#info.isRecurrent ? recurrentSequences : attentionSequences,
      checkFits: (contextSize) => this.#checkFits(contextSize),
    });
    this.#queues.set(pooling, queue);
    return queue;
  }

  /** Ends what runs and gives the memory back. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
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

import { abortError } from '../arguments.js';
import { createError } from '../errors.js';
import {
  addonOf,
  type ContextHandle,
  type ModelHandle,
  type NativeAppliedAdapter,
  type NativePooling,
} from '../native/addon.js';

/** Sizes and settings of the contexts of a queue. */
export interface QueueSettings {
  readonly pooling: NativePooling;
  /** Tokens of a batch while no text is longer. */
  readonly batchSize: number;
  /** Most texts of a batch. */
  readonly sequences: number;
  readonly threads: number;
  readonly adapters: readonly NativeAppliedAdapter[];
  /** Throws if a context of this many tokens cannot be held in memory. */
  readonly checkFits: (contextSize: number) => void;
}

/** What a caller wants to have embedded or scored. */
export interface EmbeddingRequest {
  readonly texts: readonly Int32Array[];
  readonly normalize: boolean;
  /** Called with the number of finished texts after each batch that held some of them. */
  readonly onBatch: (completed: number) => void;
}

interface Job extends EmbeddingRequest {
  /** Texts that are in a batch or were. */
  taken: number;
  completed: number;
  readonly results: Float32Array[];
  readonly resolve: (embeddings: Float32Array[]) => void;
  readonly reject: (error: unknown) => void;
}

interface BatchItem {
  readonly job: Job;
  /** Of the text in its job. */
  readonly index: number;
  readonly tokens: Int32Array;
}

/** A job that waits or runs. */
interface QueuedEmbedding {
  readonly embeddings: Promise<Float32Array[]>;
  /** Gives it up: what has not begun is not computed. */
  readonly cancel: (error: unknown) => void;
}

/** KV caches are made in steps of this many tokens. */
const sizeStep = 256;

/**
 * Computes the embeddings of one pooling. Texts of all callers that wait share batches, in turn, so that a caller
 * with a single text never waits for another's thousands.
 *
 * A text must be in one micro-batch as a whole, and the memory for computing grows with its size: therefore the
 * context is made for `batchSize` tokens and replaced by a larger one when a longer text comes.
 */
export class EmbeddingQueue {
  readonly #model: ModelHandle;
  readonly #settings: QueueSettings;
  #jobs: Job[] = [];
  #context: { readonly handle: ContextHandle; readonly size: number } | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(model: ModelHandle, settings: QueueSettings) {
    this.#model = model;
    this.#settings = settings;
  }

  /**
   * The results of a job of texts of one token or more.
   * @param what the caller's name for it, should it be cancelled.
   * @throws AbortError when `signal` fires; batches that have not begun are not computed then.
   */
  async run(request: EmbeddingRequest, what: string, signal?: AbortSignal): Promise<Float32Array[]> {
    if (signal?.aborted) throw abortError(signal, what);
    const { embeddings, cancel } = this.#add(request);
    const onAbort = () => signal && cancel(abortError(signal, what));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await embeddings;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #add(request: EmbeddingRequest): QueuedEmbedding {
    const { promise, resolve, reject } = withResolvers<Float32Array[]>();
    const job: Job = { ...request, taken: 0, completed: 0, results: [], resolve, reject };
    if (this.#closed) reject(closedError());
    else if (job.texts.length === 0) resolve([]);
    else this.#start(job);
    return { embeddings: promise, cancel: (error) => this.#fail(job, error) };
  }

  /** Ends what runs and gives the memory back. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of [...this.#jobs]) this.#fail(job, closedError());
    await this.#closeContext(); // breaks off the batch that runs
    await this.#running;
    await this.#closeContext(); // one may have been on its way
  }

  #start(job: Job): void {
    this.#jobs.push(job);
    // The first batch begins after the callers of this turn have all added their texts.
    this.#running ??= Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(): Promise<void> {
    while (this.#jobs.length > 0) {
      const batch = this.#composeBatch();
      try {
        const handle = await this.#contextFor(Math.max(...batch.map(({ tokens }) => tokens.length)));
        const texts = batch.map(({ job, tokens }) => ({ tokens, normalize: job.normalize }));
        this.#deliver(batch, await addonOf(handle).embed(handle, texts));
      } catch (error) {
        for (const { job } of batch) this.#fail(job, this.#closed ? closedError() : error);
      }
    }
  }

  /** One text of each job in turn, as long as they fit. */
  #composeBatch(): BatchItem[] {
    const first = this.#jobs[0];
    const longest = Math.max(first?.texts[first.taken]?.length ?? 0, this.#settings.batchSize);
    let room = roundUp(longest);
    const batch: BatchItem[] = [];
    const turns = this.#jobs.map((job) => ({ job, done: false }));
    while (turns.some(({ done }) => !done)) {
      for (const turn of turns) {
        if (turn.done) continue;
        const { job } = turn;
        const tokens = job.texts[job.taken];
        turn.done = tokens === undefined || tokens.length > room || batch.length >= this.#settings.sequences;
        if (tokens === undefined || turn.done) continue;
        batch.push({ job, index: job.taken++, tokens });
        room -= tokens.length;
      }
    }
    // Who was served goes to the end, so that a long text that did not fit is the first of a later batch.
    const served = new Set(batch.map(({ job }) => job));
    this.#jobs = [
      ...this.#jobs.filter((job) => !served.has(job)),
      ...this.#jobs.filter((job) => served.has(job)),
    ];
    return batch;
  }

  #deliver(batch: readonly BatchItem[], embeddings: readonly Float32Array[]): void {
    for (const [position, { job, index }] of batch.entries()) {
      const embedding = embeddings[position];
      if (embedding === undefined) throw createError('INTERNAL', 'The addon gave too few embeddings.');
      job.results[index] = embedding;
      job.completed++;
    }
    for (const job of new Set(batch.map((item) => item.job))) {
      if (!this.#jobs.includes(job)) continue; // cancelled
      try {
        job.onBatch(job.completed);
      } catch (error) {
        this.#fail(job, error); // the caller's own error comes back to the caller
        continue;
      }
      if (job.completed === job.texts.length) {
        this.#forget(job);
        job.resolve(job.results);
      }
    }
  }

  #fail(job: Job, error: unknown): void {
    this.#forget(job);
    job.reject(error);
  }

  #forget(job: Job): void {
    this.#jobs = this.#jobs.filter((other) => other !== job);
  }

  async #contextFor(longestText: number): Promise<ContextHandle> {
    const { batchSize, sequences, checkFits, ...settings } = this.#settings;
    const size = roundUp(Math.max(longestText, batchSize));
    if (this.#context !== undefined && this.#context.size >= size) return this.#context.handle;
    checkFits(size);
    await this.#closeContext();
    if (this.#closed) throw closedError();
    const options = { ...settings, contextSize: size, batchSize: size, sequences, restartable: true };
    const { handle } = await addonOf(this.#model).createContext(this.#model, options, () => {});
    this.#context = { handle, size };
    if (this.#closed) throw closedError();
    return handle;
  }

  async #closeContext(): Promise<void> {
    const context = this.#context;
    this.#context = undefined;
    if (context !== undefined) await addonOf(context.handle).closeContext(context.handle);
  }
}

function roundUp(tokens: number): number {
  return Math.ceil(tokens / sizeStep) * sizeStep;
}

function closedError(): Error {
  return createError('CLOSED', 'The model was closed while it computed embeddings.');
}

/** As Promise.withResolvers, which Node.js 20 does not have. */
function withResolvers<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

import { abortError } from '../arguments.js';
import { createError, type ErrorCode, LlamaNativeError, withDetails } from '../errors.js';
import { GenerationStream } from '../generate/generation-stream.js';
import {
  type Addon,
  addonOf,
  type ModelHandle,
  type NativeContext,
  type NativeContextOptions,
  type NativeFinish,
  type NativeLogitsRequest,
  type NativeStepEvents,
} from '../native/addon.js';
import { createJob, type EngineRequest, type Job, type PreparedPrompt } from './job.js';
import { type ModelMetrics, toModelMetrics } from './metrics.js';
import { type MetricsListener, MetricsReporter } from './metrics-reporter.js';
import { PrefixKeeper, type Restoration } from './prefix-keeper.js';
import { nothingStored, PrefixStore, type PrefixStoreOptions } from './prefix-store.js';
import { residentSequences } from './resident-sequences.js';
import { cancelledBeforeStart, toResult } from './result.js';
import { type Placement, SequenceTable } from './sequence-table.js';

/** How an engine is set up. */
export interface EngineOptions extends NativeContextOptions {
  /** Most generations at the same time. */
  readonly sequences: number;
  /** Most generations that wait. */
  readonly queueLimit: number;
  /** Least time between two reports of metrics. */
  readonly metricsIntervalMs: number;
  /** False for models whose memory cannot be shared in part: they go on from checkpoints. */
  readonly canShare: boolean;
  /** Prefixes beyond the KV cache; undefined for none. */
  readonly store: PrefixStoreOptions | undefined;
}

/** Tokens, and the part of the KV cache that holds them. */
export interface SavedPrefix {
  readonly tokens: Int32Array;
  readonly state: Uint8Array;
}

/** Engines with work: they must not be collected while only native code knows of them. */
const working = new Set<Engine>();

/**
 * Policy above the native generation loop: which request is admitted next, in which sequence, and from which cached
 * prefix it continues. The loop itself, and everything per token, is native.
 */
export class Engine {
  readonly #addon: Addon;
  readonly #context: NativeContext;
  readonly #sequences: SequenceTable;
  readonly #queueLimit: number;
  readonly #canShare: boolean;
  readonly #metrics: MetricsReporter;
  readonly #keeper: PrefixKeeper | undefined;
  readonly #store: PrefixStore | undefined;
  readonly #jobs = new Map<number, Job>();
  #queue: Job[] = [];
  #nextId = 1;
  #closing: Promise<void> | undefined;

  private constructor(context: NativeContext, options: EngineOptions, store: PrefixStore | undefined) {
    this.#addon = addonOf(context.handle);
    this.#context = context;
    this.#queueLimit = options.queueLimit;
    this.#canShare = options.canShare;
    this.#metrics = new MetricsReporter(() => this.metrics(), options.metricsIntervalMs);
    this.#sequences = new SequenceTable({
      sequences: context.sequences,
      running: options.sequences,
      contextSize: context.contextSize,
      canShare: options.canShare,
    });
    this.#store = store;
    if (store === undefined) return;
    this.#keeper = new PrefixKeeper({
      handle: context.handle,
      store,
      sequences: this.#sequences,
      memoryBytes: options.store?.memoryBytes ?? 0,
      checkpoints: !options.canShare,
    });
  }

  /**
   * Allocates the context.
   * @throws ContextError with code CONTEXT_CREATE_FAILED or OUT_OF_MEMORY.
   */
  static async create(model: ModelHandle, options: EngineOptions): Promise<Engine> {
    const { canShare, queueLimit: _queueLimit, metricsIntervalMs: _interval, ...rest } = options;
    const { store: storeOptions, ...native } = rest;
    const store = storeOptions === undefined ? undefined : await PrefixStore.open(storeOptions);
    // Sequences beyond those that run cost nothing where memory is shared, and keep prefixes of earlier ones.
    const sequences = options.sequences + (canShare ? residentSequences : 0);
    const stateLimit = Math.max(storeOptions?.memoryBytes ?? 0, storeOptions?.disk?.limitBytes ?? 0);
    // The listener must not keep the engine alive, or an abandoned model would never be collected.
    let reference: WeakRef<Engine> | undefined;
    const settings = { ...native, sequences, stateLimit, restartable: true };
    const context = await addonOf(model).createContext(model, settings, (events) => {
      const engine = reference?.deref();
      if (engine !== undefined) engine.#onEvents(events);
    });
    const created = new Engine(context, options, store);
    reference = new WeakRef(created);
    return created;
  }

  /** Tokens the KV cache holds in all. */
  get contextSize(): number {
    return this.#context.contextSize;
  }

  /** How the engine is doing now, and what it has counted since it was created. */
  async metrics(): Promise<ModelMetrics> {
    const waiting = this.#queue.length;
    const running = this.#sequences.running;
    const residentTokens = this.#sequences.residentTokens;
    const native = await this.#addon.getMetrics(this.#context.handle);
    const stored = this.#store?.counts() ?? nothingStored;
    const devices = native.devices ?? this.#addon.getDevices();
    return toModelMetrics(native, { waiting, running, residentTokens, stored, devices, ...this.#context });
  }

  /** Reports metrics while there is work; see {@link MetricsReporter}. */
  listenToMetrics(listener: MetricsListener): void {
    this.#metrics.listen(listener);
  }

  /** Starts a generation, or puts it in the queue. */
  generate(request: EngineRequest): GenerationStream {
    const id = this.#nextId++;
    const stream = new GenerationStream(() => this.#cancel(id));
    const onAbort = () => this.#cancel(id);
    request.signal?.addEventListener('abort', onAbort, { once: true });
    const job = createJob(id, request, stream, () => request.signal?.removeEventListener('abort', onAbort));
    this.#jobs.set(id, job);
    working.add(this);
    if (request.signal?.aborted) this.#cancel(id);
    request.prompt.then(
      (prompt) => this.#enqueue(job, prompt),
      (error) => this.#fail(job, error),
    );
    return stream;
  }

  /**
   * The part of the KV cache that holds the beginning of these tokens, as bytes; undefined if none is held, or if it
   * cannot be told apart from what other conversations added to it.
   */
  async savePrefix(tokens: Int32Array): Promise<SavedPrefix | undefined> {
    const addon = this.#addon;
    const { handle } = this.#context;
    const holder = this.#sequences.findIdleHolder(tokens);
    if (holder === undefined) return undefined;
    const prefix = tokens.slice(0, holder.length);
    if (this.#sequences.tokensOf(holder.sequence).length === holder.length) {
      return { tokens: prefix, state: await addon.saveSequence(handle, holder.sequence) };
    }
    // What lies behind the prefix belongs to another conversation: save a copy that ends with the prefix.
    const spare = this.#canShare ? this.#sequences.findSpare(holder.sequence) : undefined;
    if (spare === undefined) return undefined;
    this.#sequences.start(spare, []);
    try {
      // The three commands run in this order, whatever is posted meanwhile.
      const copying = addon.changeMemory(handle, 'copy', holder.sequence, spare, 0, holder.length, 0);
      const saving = addon.saveSequence(handle, spare);
      const removing = addon.changeMemory(handle, 'remove', spare, spare, -1, -1, 0);
      const [, state] = await Promise.all([copying, saving, removing]);
      return { tokens: prefix, state };
    } finally {
      this.#sequences.finish(spare, []);
      if (this.#closing === undefined) this.#admit();
    }
  }

  /**
   * Puts a saved part back, as a prefix that later generations continue from. Without room for it nothing happens: it
   * is evaluated again when it is needed.
   * @throws ContextError STATE_INVALID if the bytes are damaged or were made by another model or version.
   */
  async restorePrefix({ tokens, state }: SavedPrefix): Promise<void> {
    const spare = tokens.length < this.contextSize ? this.#sequences.findSpare() : undefined;
    if (spare === undefined) return;
    this.#keeper?.giveUp(spare, this.#sequences.tokensOf(spare));
    this.#sequences.start(spare, []);
    let restored = false;
    try {
      await this.#addon.restoreSequence(this.#context.handle, spare, state);
      restored = true;
    } catch (error) {
      if (!LlamaNativeError.isInstance(error) || error.code !== 'CONTEXT_FULL') throw error;
    } finally {
      this.#sequences.finish(spare, restored ? tokens : []);
      if (this.#closing === undefined) this.#admit();
    }
  }

  /** Ends everything that runs with a ClosedError and frees the context. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      const kept = this.#keeper?.close();
      const closed = this.#addon.closeContext(this.#context.handle);
      this.#closing = Promise.all([closed, kept]).then(() => {});
      for (const job of [...this.#jobs.values()]) {
        this.#fail(
          job,
          createError('CLOSED', 'The model was closed while this generation was waiting or running.'),
        );
      }
      this.#queue = [];
    }
    return this.#closing;
  }

  #enqueue(job: Job, prepared: PreparedPrompt): void {
    const { tokens, stopStrings, visibleTokens = new Int32Array(), sampling = {} } = prepared;
    if (!this.#jobs.has(job.id)) return;
    if (tokens.length === 0) {
      const message =
        'Expected a prompt of at least one token; received an empty one and this model adds none.';
      this.#fail(job, createError('INVALID_ARGUMENT', message));
      return;
    }
    if (tokens.length > this.contextSize) {
      const message =
        `Expected a prompt of at most ${this.contextSize} tokens (the contextSize); received ${tokens.length}. ` +
        'Shorten it, or load the model with a larger contextSize.';
      const details = { promptTokens: tokens.length, contextSize: this.contextSize };
      this.#fail(job, createError('PROMPT_TOO_LONG', message, { details }));
      return;
    }
    if (this.#queue.length >= this.#queueLimit && this.#sequences.place(tokens) === undefined) {
      const message =
        `${this.#queue.length} generations are waiting already, which is the queueLimit. Try again later, or load ` +
        'the model with more sequences or a larger queueLimit.';
      this.#fail(job, createError('QUEUE_FULL', message, { details: { waiting: this.#queue.length } }));
      return;
    }
    job.prompt = tokens;
    job.stopStrings = stopStrings;
    job.visibleTokens = visibleTokens;
    job.sampling = sampling;
    const { priority } = job.request;
    const behind = this.#queue.findIndex((waiting) => waiting.request.priority < priority);
    this.#queue.splice(behind === -1 ? this.#queue.length : behind, 0, job);
    this.#admit();
  }

  /** Starts what waits, as long as there is a sequence for it. What still reads its saved prefix lets others pass. */
  #admit(): void {
    let loading = 0;
    for (const job of [...this.#queue]) {
      const placement = this.#sequences.place(job.prompt, loading);
      if (placement === undefined) break;
      if (!this.#hasRestoration(job, placement)) {
        loading++;
        continue;
      }
      this.#queue = this.#queue.filter((waiting) => waiting !== job);
      this.#start(job, placement);
    }
    this.#announceEvictable();
  }

  /** Whether it is known what the job begins from. If it has to be read, the job is admitted when that is done. */
  #hasRestoration(job: Job, { cachedTokens }: Placement): boolean {
    if (job.restoration === 'loading') return false;
    if (job.restoration !== 'unknown') return true;
    const match = this.#keeper?.find(job.prompt, cachedTokens);
    job.restoration = undefined;
    if (match === undefined || this.#keeper === undefined) return true;
    const { prefix, length } = match;
    if (prefix.state !== undefined) {
      this.#store?.touch(prefix);
      job.restoration = { prefix, state: prefix.state, length };
      return true;
    }
    job.restoration = 'loading';
    this.#keeper.load(match).then((restoration) => {
      job.restoration = restoration;
      if (this.#closing === undefined) this.#admit();
    });
    return false;
  }

  #start(job: Job, placement: Placement): void {
    const { sequence, cachedTokens } = placement;
    const found = typeof job.restoration === 'object' ? job.restoration : undefined;
    job.restoration = undefined; // its bytes are not held on to
    const restoration = found !== undefined && found.length > cachedTokens ? found : undefined;
    this.#keeper?.beforeUse(placement, restoration !== undefined);
    const before = this.#sequences.start(sequence, job.prompt);
    job.sequence = sequence;
    void this.#submit(job, placement, restoration).catch((error) => {
      if (!this.#jobs.has(job.id)) return; // its process ended, and it with it
      this.#sequences.finish(sequence, before); // refused before anything was touched
      job.sequence = undefined;
      this.#fail(job, error);
      if (this.#closing === undefined) this.#admit();
    });
  }

  /** @throws what the addon refuses; it is at once or, from another process, a little later. */
  async #submit(job: Job, placement: Placement, restoration: Restoration | undefined): Promise<void> {
    const { sequence, cachedSequence, cachedTokens } = placement;
    if (restoration !== undefined) this.#keeper?.restoring(job.id, restoration);
    const cached = restoration?.length ?? cachedTokens;
    const snapshots = this.#keeper?.checkpointsFor(job.prompt, cached) ?? [];
    await this.#addon.submitGeneration(this.#context.handle, {
      ...job.request.sampling,
      ...job.sampling,
      id: job.id,
      sequence,
      tokens: job.prompt,
      cachedSequence,
      cachedTokens,
      ...(restoration && { state: restoration.state, stateTokens: restoration.length }),
      ...(snapshots.length > 0 && { snapshots: Int32Array.from(snapshots) }),
      maxTokens: job.request.maxTokens ?? -1,
      stopStrings: job.stopStrings,
      visibleTokens: job.visibleTokens,
      contextFull: job.request.contextFull,
      keepTokens: job.request.keepTokens,
      logprobs: job.request.logprobs,
      processesLogits: job.request.logitsProcessor !== undefined,
      speculate: job.request.speculate,
      waitedMs: performance.now() - job.asked,
    });
    this.#announceStart(job, cached);
  }

  /** Tells whoever asked that the prompt is being evaluated now. */
  #announceStart(job: Job, cachedTokens: number): void {
    const promptTokens = job.prompt.length;
    try {
      // The last token is evaluated in any case: what follows it is wanted.
      job.request.onStart?.({ promptTokens, cachedTokens: Math.min(cachedTokens, promptTokens - 1) });
    } catch (error) {
      job.failure = error instanceof Error ? error : new Error(String(error));
      this.#cancel(job.id);
    }
  }

  /** Keeps cold prefixes bounded, and tells the loop in which order it may give up the others. */
  #announceEvictable(): void {
    const { handle } = this.#context;
    for (const { sequence, tokens } of this.#sequences.takeExcess()) {
      this.#keeper?.giveUp(sequence, tokens);
      // Nobody waits for it; if the context closes first, there is nothing left to remove.
      this.#addon.changeMemory(handle, 'remove', sequence, sequence, -1, -1, 0).catch(() => {});
    }
    const idle = this.#sequences.evictable();
    if (this.#keeper !== undefined) {
      this.#keeper.announce(idle);
      return;
    }
    const ids = Int32Array.from(idle, ({ sequence }) => sequence);
    this.#addon.setEvictable(handle, ids, new Int32Array(ids.length));
  }

  #cancel(id: number): void {
    const job = this.#jobs.get(id);
    if (job === undefined || job.cancelled) return;
    job.cancelled = true;
    if (job.sequence !== undefined) {
      this.#addon.cancelGeneration(this.#context.handle, id);
      return;
    }
    this.#queue = this.#queue.filter((queued) => queued !== job);
    if (job.request.signal?.aborted) {
      this.#fail(job, abortError(job.request.signal, 'The generation', { text: '' }));
    } else {
      this.#end(job);
      job.stream.finish(cancelledBeforeStart(job));
    }
  }

  #onEvents(events: NativeStepEvents): void {
    if (events.lost !== undefined) this.#onLost(events.lost);
    for (const evicted of events.evicted ?? []) {
      this.#sequences.evicted(evicted.sequence);
      this.#keeper?.evicted(evicted);
    }
    for (const unrestored of events.unrestored ?? []) this.#keeper?.unrestored(unrestored);
    for (const snapshot of events.snapshots ?? []) {
      const job = this.#jobs.get(snapshot.id);
      if (job !== undefined) this.#keeper?.snapshot(job.prompt, snapshot);
    }
    for (const event of events.generations) {
      const job = this.#jobs.get(event.id);
      if (job === undefined) continue;
      if (event.tokens.length > 0 || event.text !== '') {
        const { text, tokens, logprobs } = event;
        job.stream.push({ text, tokens, ...(logprobs && { logprobs }) });
      }
      if (event.finish !== undefined) this.#onFinish(job, event.finish);
    }
    for (const request of events.logits ?? []) void this.#processLogits(request);
    this.#metrics.notice(this.#jobs.size === 0);
  }

  /** The process of the context ended. What had begun fails; what waits goes on in the next one. */
  #onLost(error: LlamaNativeError): void {
    this.#sequences.reset();
    for (const job of [...this.#jobs.values()]) {
      if (job.sequence === undefined) continue;
      const { text } = job.stream;
      this.#fail(job, withDetails(error, { text }));
    }
    if (this.#closing === undefined) this.#admit();
  }

  /** The native loop goes on with other sequences until the answer is there. */
  async #processLogits({ id, tokens, logits }: NativeLogitsRequest): Promise<void> {
    const processor = this.#jobs.get(id)?.request.logitsProcessor;
    if (processor === undefined) return;
    try {
      const processed = (await processor(logits, tokens)) ?? logits;
      if (this.#jobs.has(id)) await this.#addon.provideLogits(this.#context.handle, id, processed);
    } catch (error) {
      const job = this.#jobs.get(id);
      if (job === undefined || job.cancelled) return;
      job.failure = toProcessorError(error);
      this.#cancel(id);
    }
  }

  #onFinish(job: Job, finish: NativeFinish): void {
    const { sequence, stream } = job;
    this.#keeper?.finished(job.id, finish.promptTokens - finish.cachedTokens, finish.promptMs);
    if (sequence !== undefined) {
      const tokens = [...job.prompt, ...stream.tokens];
      this.#sequences.finish(sequence, tokens.slice(0, finish.residentTokens));
    }
    this.#end(job);
    if (job.failure !== undefined) {
      stream.fail(job.failure);
    } else if (finish.errorCode !== undefined) {
      stream.fail(createError(finish.errorCode as ErrorCode, finish.errorMessage ?? ''));
    } else if (finish.reason === 'cancelled' && job.request.signal?.aborted) {
      stream.fail(abortError(job.request.signal, 'The generation', { text: stream.text }));
    } else {
      stream.finish(toResult(job, finish));
    }
    if (this.#closing === undefined) this.#admit();
  }

  #fail(job: Job, error: unknown): void {
    if (!this.#jobs.has(job.id)) return;
    this.#end(job);
    job.stream.fail(error);
  }

  #end(job: Job): void {
    this.#jobs.delete(job.id);
    job.removeAbortListener();
    if (this.#jobs.size === 0) working.delete(this);
  }
}

function toProcessorError(error: unknown): LlamaNativeError {
  if (LlamaNativeError.isInstance(error) && error.code === 'LOGITS_PROCESSOR_FAILED') return error;
  const message = `The logits processor failed: ${error instanceof Error ? error.message : String(error)}`;
  return createError('LOGITS_PROCESSOR_FAILED', message, { cause: error });
}

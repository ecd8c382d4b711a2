import { abortError } from '../arguments.js';
import { createError, type ErrorCode } from '../errors.js';
import { GenerationStream } from '../generate/generation-stream.js';
import type { GenerationResult } from '../generate/types.js';
import {
  getAddon,
  type ModelHandle,
  type NativeContext,
  type NativeContextOptions,
  type NativeFinish,
  type NativeSamplingOptions,
  type NativeStepEvents,
} from '../native/addon.js';
import { placePrompt, type Slot } from './slot.js';

/** A generation as the layers above ask for it. */
export interface EngineRequest {
  /** The prompt, which may still be rendered and tokenized; and what ends the answer. */
  readonly prompt: Promise<PreparedPrompt>;
  readonly sampling: NativeSamplingOptions;
  readonly maxTokens: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A prompt as the loop takes it. */
export interface PreparedPrompt {
  readonly tokens: Int32Array;
  readonly stopStrings: readonly string[];
}

interface Job {
  readonly id: number;
  readonly request: EngineRequest;
  readonly stream: GenerationStream;
  readonly asked: number;
  prompt: Int32Array;
  stopStrings: readonly string[];
  slot: Slot | undefined;
  cancelled: boolean;
  readonly removeAbortListener: () => void;
}

/** Engines with work: they must not be collected while only native code knows of them. */
const working = new Set<Engine>();

/**
 * Policy above the native generation loop: which request is admitted next, in which sequence, and from which cached
 * prefix it continues. The loop itself, and everything per token, is native.
 */
export class Engine {
  readonly #context: NativeContext;
  readonly #canShare: boolean;
  readonly #slots: Slot[];
  readonly #jobs = new Map<number, Job>();
  #queue: Job[] = [];
  #nextId = 1;
  #clock = 0;
  #closing: Promise<void> | undefined;

  private constructor(context: NativeContext, canShare: boolean) {
    this.#context = context;
    this.#canShare = canShare;
    this.#slots = Array.from({ length: context.sequences }, (_, sequence) => ({
      sequence,
      tokens: [],
      busy: false,
      lastUsed: 0,
    }));
  }

  /**
   * Allocates the context.
   * @throws ContextError with code CONTEXT_CREATE_FAILED or OUT_OF_MEMORY.
   */
  static async create(model: ModelHandle, options: NativeContextOptions, canShare: boolean): Promise<Engine> {
    // The listener must not keep the engine alive, or an abandoned model would never be collected.
    let reference: WeakRef<Engine> | undefined;
    const context = await getAddon().createContext(model, options, (events) => {
      const engine = reference?.deref();
      if (engine !== undefined) engine.#onEvents(events);
    });
    const created = new Engine(context, canShare);
    reference = new WeakRef(created);
    return created;
  }

  /** Tokens the KV cache holds in all. */
  get contextSize(): number {
    return this.#context.contextSize;
  }

  /** Starts a generation, or puts it in the queue. */
  generate(request: EngineRequest): GenerationStream {
    const id = this.#nextId++;
    const stream = new GenerationStream(() => this.#cancel(id));
    const onAbort = () => this.#cancel(id);
    request.signal?.addEventListener('abort', onAbort, { once: true });
    const job: Job = {
      id,
      request,
      stream,
      asked: performance.now(),
      prompt: new Int32Array(),
      stopStrings: [],
      slot: undefined,
      cancelled: false,
      removeAbortListener: () => request.signal?.removeEventListener('abort', onAbort),
    };
    this.#jobs.set(id, job);
    working.add(this);
    if (request.signal?.aborted) this.#cancel(id);
    request.prompt.then(
      (prompt) => this.#enqueue(job, prompt),
      (error) => this.#fail(job, error),
    );
    return stream;
  }

  /** Ends everything that runs with a ClosedError and frees the context. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = getAddon().closeContext(this.#context.handle);
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

  #enqueue(job: Job, { tokens, stopStrings }: PreparedPrompt): void {
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
    job.prompt = tokens;
    job.stopStrings = stopStrings;
    this.#queue.push(job);
    this.#admit();
  }

  #admit(): void {
    while (this.#queue[0] !== undefined) {
      const job = this.#queue[0];
      const placement = placePrompt(this.#slots, job.prompt, this.#canShare);
      if (placement === undefined) return;
      this.#queue.shift();
      const { slot, cachedSequence, cachedTokens } = placement;
      const before = slot.tokens;
      slot.busy = true;
      slot.tokens = job.prompt;
      slot.lastUsed = ++this.#clock;
      job.slot = slot;
      try {
        getAddon().submitGeneration(this.#context.handle, {
          ...job.request.sampling,
          id: job.id,
          sequence: slot.sequence,
          tokens: job.prompt,
          cachedSequence,
          cachedTokens,
          maxTokens: job.request.maxTokens ?? -1,
          stopStrings: job.stopStrings,
          waitedMs: performance.now() - job.asked,
        });
      } catch (error) {
        slot.busy = false;
        slot.tokens = before; // refused before anything was touched
        job.slot = undefined;
        this.#fail(job, error);
      }
    }
    this.#announceEvictable();
  }

  /** Tells the loop which sequences nobody uses, those unused longest first. */
  #announceEvictable(): void {
    if (this.#slots.length === 1) return;
    const idle = this.#slots.filter((slot) => !slot.busy && slot.tokens.length > 0);
    idle.sort((a, b) => a.lastUsed - b.lastUsed);
    getAddon().setEvictable(
      this.#context.handle,
      Int32Array.from(idle, (slot) => slot.sequence),
    );
  }

  #cancel(id: number): void {
    const job = this.#jobs.get(id);
    if (job === undefined || job.cancelled) return;
    job.cancelled = true;
    if (job.slot !== undefined) {
      getAddon().cancelGeneration(this.#context.handle, id);
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
    for (const sequence of events.evicted ?? []) {
      const slot = this.#slots[sequence];
      if (slot !== undefined && !slot.busy) slot.tokens = [];
    }
    for (const event of events.generations) {
      const job = this.#jobs.get(event.id);
      if (job === undefined) continue;
      if (event.tokens.length > 0 || event.text !== '') {
        job.stream.push({ text: event.text, tokens: event.tokens });
      }
      if (event.finish !== undefined) this.#onFinish(job, event.finish);
    }
  }

  #onFinish(job: Job, finish: NativeFinish): void {
    const { slot, stream } = job;
    if (slot !== undefined) {
      const tokens = [...job.prompt, ...stream.tokens];
      slot.tokens = tokens.slice(0, finish.residentTokens);
      slot.busy = false;
      slot.lastUsed = ++this.#clock;
    }
    this.#end(job);
    if (finish.errorCode !== undefined) {
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

function perSecond(count: number, milliseconds: number): number {
  return count > 0 && milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}

function toResult(job: Job, finish: NativeFinish): GenerationResult {
  const stopString = job.stopStrings[finish.stopString];
  return {
    text: job.stream.text,
    tokens: job.stream.tokens,
    finishReason: finish.reason === 'failed' ? 'cancelled' : finish.reason,
    ...(stopString === undefined ? {} : { stopString }),
    usage: {
      promptTokens: finish.promptTokens,
      cachedTokens: finish.cachedTokens,
      completionTokens: finish.completionTokens,
    },
    timings: {
      queueMs: finish.queueMs,
      promptMs: finish.promptMs,
      timeToFirstTokenMs: finish.firstTokenMs,
      completionMs: finish.completionMs,
      totalMs: finish.totalMs,
      promptTokensPerSecond: perSecond(finish.promptTokens - finish.cachedTokens, finish.promptMs),
      completionTokensPerSecond: perSecond(finish.decodeSteps, finish.completionMs),
    },
  };
}

function cancelledBeforeStart(job: Job): GenerationResult {
  const waited = performance.now() - job.asked;
  return {
    text: '',
    tokens: [],
    finishReason: 'cancelled',
    usage: { promptTokens: job.prompt.length, cachedTokens: 0, completionTokens: 0 },
    timings: {
      queueMs: waited,
      promptMs: 0,
      timeToFirstTokenMs: 0,
      completionMs: 0,
      totalMs: waited,
      promptTokensPerSecond: 0,
      completionTokensPerSecond: 0,
    },
  };
}

import { createError, type LlamaNativeError } from '../errors.js';
import type { NativeDevice, NativeStepEvents, NativeSystemInfo } from '../native/addon.js';
import { CallTable } from './call-table.js';
import { crashError, type EngineEnd } from './crash.js';
import { type EngineProcess, type ProcessEnd, startCounted } from './engine-transport.js';
import { Heartbeat } from './heartbeat.js';
import type { IsolateSettings } from './options.js';
import {
  type EngineMethod,
  type EngineNotice,
  type EngineReply,
  protocolVersion,
  type SentError,
  toError,
} from './protocol.js';
import { rehearse } from './rehearsal.js';
import type { CrashReason, CrashReport } from './types.js';

/** A crash as one life of an engine knows it. */
export type EngineCrash = Omit<CrashReport, 'crashesInARow'>;

/** What an engine tells besides the answers to calls. */
export interface EngineListener {
  onEvents(context: number, events: NativeStepEvents): void;
  /** It evaluated something. */
  onWorked(): void;
  /** Something that was in flight ended. */
  onSettled(): void;
  /** It ended unasked, and all that was in flight has failed with the error. */
  onCrash(error: LlamaNativeError, crash: EngineCrash): void;
}

/** What a call needs besides its arguments. */
export interface CallOptions {
  /** Made again for an engine that takes the place of another: this side has nothing to rehearse any more. */
  readonly isRepeated?: boolean;
  /** The number for the native object that the call makes. */
  readonly makes?: number | undefined;
  readonly onProgress?: ((...values: number[]) => void) | undefined;
  /** Gets the number of the call, for a notice that cancels it. */
  readonly onSent?: ((call: number) => void) | undefined;
}

/** What an engine says of itself when it is ready. */
export interface EngineFacts {
  readonly systemInfo: NativeSystemInfo;
  readonly devices: readonly NativeDevice[];
}

/** A process that says nothing for so long after its start is not going to. */
const startLimitMs = 20_000;

/** Calls whose answers mean that something was evaluated. */
const work: ReadonlySet<EngineMethod> = new Set(['eval', 'embed', 'sample', 'scoreWindows']);

/** One life of an engine: a process, from its start to its end. */
export class ChildEngine {
  readonly facts: Promise<EngineFacts>;
  readonly #settings: IsolateSettings;
  readonly #listener: EngineListener;
  readonly #calls = new CallTable();
  readonly #heartbeat: Heartbeat;
  readonly #begun = performance.now();
  #process!: EngineProcess;
  #settleFacts!: { resolve: (facts: EngineFacts) => void; reject: (error: LlamaNativeError) => void };
  #ready = false;
  #ending: CrashReason | 'asked' | undefined;
  #memoryBytes = 0;

  /**
   * Starts a process and waits until its addon is loaded.
   * @throws EngineStartError; AddonError if the addon cannot be loaded there.
   */
  static async start(settings: IsolateSettings, listener: EngineListener): Promise<ChildEngine> {
    const engine = new ChildEngine(settings, listener);
    engine.#process = await startCounted(settings.startProcess, {
      onReply: (reply) => engine.#onReply(reply),
      onGarbage: () => engine.#end('garbage'),
    });
    engine.#process.setReferenced(true);
    void engine.#process.ended.then((end) => engine.#onEnded(end));
    const limit = setTimeout(() => engine.#end('hung'), startLimitMs);
    try {
      await engine.facts;
    } finally {
      clearTimeout(limit);
    }
    engine.#ready = true;
    engine.#follow();
    return engine;
  }

  private constructor(settings: IsolateSettings, listener: EngineListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.facts = new Promise((resolve, reject) => {
      this.#settleFacts = { resolve, reject };
    });
    this.facts.catch(() => {});
    this.#heartbeat = new Heartbeat(
      {
        ping: () => this.#process.send({ type: 'ping' }),
        countBeat: (limit) => this.#calls.countBeat(limit),
        expectsProgress: () => this.#calls.expectsProgress(),
        onHang: () => this.#end('hung'),
        onMemory: (bytes) => this.#onMemory(bytes),
      },
      settings.hangTimeoutMs,
    );
  }

  get processId(): number {
    return this.#process.processId;
  }

  /** Resident memory of the process as it was last told; 0 before that. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Settled when the process is gone. */
  get ended(): Promise<ProcessEnd> {
    return this.#process.ended;
  }

  call(method: EngineMethod, values: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    const { makes, onProgress, onSent, isRepeated = false } = options;
    const answer = new Promise((resolve, reject) => {
      const call = this.#calls.add({ method, resolve, reject, onProgress });
      this.#follow();
      const made = makes === undefined ? {} : { makes };
      try {
        this.#process.send({ type: 'call', call, method, arguments: values, ...made });
        onSent?.(call);
      } catch (cause) {
        this.#calls.take(call);
        reject(notSendable(method, cause));
      }
    });
    if (method === 'loadModel' && !isRepeated)
      void rehearse((messages) => this.call('echo', messages), answer);
    return answer;
  }

  notify(notice: EngineNotice, values: readonly unknown[]): void {
    this.#process.send({ type: 'notice', notice, arguments: values });
  }

  /** Submits a generation, which is in flight until its end is told. Settled when it is refused, or first heard of. */
  async submit(context: number, id: number, tokens: Int32Array, values: readonly unknown[]): Promise<void> {
    const onSent = (call: number) => this.#calls.startGeneration(context, id, call, tokens);
    try {
      await this.call('submitGeneration', values, { onSent });
    } catch (error) {
      this.#calls.endGeneration(context, id);
      this.#follow();
      throw error;
    }
  }

  /** Gives a generation the logits that it waits for. */
  async provideLogits(context: number, id: number, values: readonly unknown[]): Promise<void> {
    this.#calls.providedLogits(context, id);
    await this.call('provideLogits', values);
  }

  /** Ends the process, and with CLOSED whatever is in flight. */
  async close(): Promise<void> {
    this.#end('asked');
    this.#process.setReferenced(true); // somebody waits for this
    await this.#process.ended;
  }

  /** Whether nothing is in flight but calls of one kind that have not ended for so long. */
  onlyStuck(method: EngineMethod, milliseconds: number): boolean {
    return this.#calls.onlyStuck(method, milliseconds);
  }

  #end(reason: CrashReason | 'asked'): void {
    this.#ending ??= reason;
    this.#process.kill();
  }

  #onReply(reply: EngineReply): void {
    if (this.#ending !== undefined) return;
    if (reply.type === 'pong') {
      this.#heartbeat.pong(reply.progress, reply.memoryBytes);
      return;
    }
    this.#heartbeat.notice();
    switch (reply.type) {
      case 'ready':
        this.#onReady(reply);
        break;
      case 'refused':
        this.#ending = 'asked';
        this.#settleFacts.reject(toError(reply.error));
        break;
      case 'progress':
        this.#calls.get(reply.call)?.onProgress?.(...reply.values);
        break;
      case 'events':
        if (this.#calls.follow(reply.context, reply.events)) this.#listener.onWorked();
        this.#listener.onEvents(reply.context, reply.events);
        this.#follow();
        break;
      case 'result':
      case 'error':
        this.#onAnswer(reply.call, reply);
        break;
      default:
        throw new TypeError('A reply of an unknown type.');
    }
  }

  #onReady({ protocol, systemInfo, devices }: EngineReply & { type: 'ready' }): void {
    if (protocol === protocolVersion) {
      this.#settleFacts.resolve({ systemInfo, devices });
      return;
    }
    const message =
      'The package was updated while this program runs: its engine speaks otherwise. Start the program anew.';
    this.#settleFacts.reject(createError('ENGINE_START_FAILED', message));
    this.#end('asked');
  }

  #onAnswer(call: number, answer: { readonly value: unknown } | { readonly error: SentError }): void {
    const pending = this.#calls.take(call);
    if (pending === undefined) return;
    if ('error' in answer) {
      pending.reject(toError(answer.error));
    } else {
      if (work.has(pending.method)) this.#listener.onWorked();
      pending.resolve(answer.value);
    }
    this.#follow();
  }

  #onMemory(bytes: number): void {
    this.#memoryBytes = bytes;
    if (bytes > this.#settings.memoryLimitBytes) this.#end('memory-limit');
  }

  /** While something is in flight, the engine is watched and this process stays alive. */
  #follow(): void {
    if (this.#ending !== undefined || !this.#ready) return;
    const { idle } = this.#calls;
    this.#process.setReferenced(!idle);
    if (!idle) this.#heartbeat.start();
    else this.#heartbeat.stop();
    this.#listener.onSettled();
  }

  #onEnded({ exitCode, signal, log }: ProcessEnd): void {
    this.#heartbeat.stop();
    const reason = this.#ending ?? 'exited';
    this.#ending = reason;
    if (reason === 'asked') {
      const closed = createError('CLOSED', 'The model was closed during the call.');
      this.#calls.failAll(closed, false);
      this.#settleFacts.reject(closed);
      return;
    }
    const { processId } = this.#process;
    const end = { reason, processId, signal, exitCode, log, uptimeMs: performance.now() - this.#begun };
    if (!this.#ready) {
      this.#settleFacts.reject(endedAtStart(end));
      return;
    }
    const error = crashError(end, this.#settings);
    const interrupted = this.#calls.failAll(error, this.#settings.reportPrompts);
    this.#listener.onCrash(error, { ...end, interrupted });
  }
}

function notSendable(method: string, cause: unknown): LlamaNativeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `Expected plain data for ${method}, as it goes to another process; received what cannot go there: ${reason}`;
  return createError('INVALID_ARGUMENT', message, { cause });
}

function endedAtStart({ reason, signal, exitCode, log }: EngineEnd): LlamaNativeError {
  const how = {
    exited:
      signal === undefined
        ? `It exited with the status ${exitCode}.`
        : `It was ended by the signal ${signal}.`,
    hung: `It was not ready after ${startLimitMs / 1000} s and was ended.`,
    garbage: 'It sent what is no message; execPath probably names a program that is no Node.js.',
    'memory-limit': 'It held more than memoryLimitBytes.',
  }[reason];
  const lines = log
    .slice(-5)
    .map((line) => `\n  ${line}`)
    .join('');
  return createError(
    'ENGINE_START_FAILED',
    `The process of the engine ended before it was ready. ${how}${lines}`,
    {
      details: { reason, signal, exitCode, log },
    },
  );
}

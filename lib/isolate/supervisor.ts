import { setTimeout as delay } from 'node:timers/promises';
import { createError, type LlamaNativeError } from '../errors.js';
import type { NativeStepEvents } from '../native/addon.js';
import { type CallOptions, ChildEngine, type EngineFacts } from './child-engine.js';
import type { IsolateSettings } from './options.js';
import type { EngineMethod, EngineNotice } from './protocol.js';
import { RestartPolicy } from './restart-policy.js';
import type { CrashReport } from './types.js';

/** How a native object is made again in a new process. */
export interface Recipe {
  readonly method: 'loadModel' | 'loadAdapter' | 'createContext';
  readonly arguments: readonly unknown[];
  /** The model it is a part of: it is forgotten with that. */
  readonly partOf?: number;
  /** For contexts: hears what happens in it, the loss of its content too. */
  readonly onEvents?: (events: NativeStepEvents) => void;
}

/** Something to send as soon as there is an engine. */
interface Waiting {
  readonly send: (engine: ChildEngine) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Keeps an engine running: starts it, makes again in a new one what was in the old one when it crashed, and gives up
 * after too many crashes. A new process is started when something is asked, not before.
 */
export class EngineSupervisor {
  readonly #settings: IsolateSettings;
  readonly #policy: RestartPolicy;
  readonly #recipes = new Map<number, Recipe>();
  readonly #listeners = new Map<number, (events: NativeStepEvents) => void>();
  #engine: ChildEngine | undefined;
  /** The end of an engine that was replaced. */
  #replaced: Promise<void> | undefined;
  #waiting: Waiting[] | undefined;
  #facts: EngineFacts | undefined;
  #lives = 0;
  #closed = false;
  #retireMethod: { readonly method: EngineMethod; readonly milliseconds: number } | undefined;
  #onCrash: (report: CrashReport) => void = () => {};

  constructor(settings: IsolateSettings) {
    this.#settings = settings;
    this.#policy = new RestartPolicy(settings.crashLimit);
  }

  /** What the engine that was started first said of itself. */
  get facts(): EngineFacts {
    if (this.#facts === undefined) throw createError('INTERNAL', 'The engine has not been started.');
    return this.#facts;
  }

  /** The running engine, if there is one. */
  get engine(): ChildEngine | undefined {
    return this.#engine;
  }

  /** How often an engine was started. What is not made again is of one life only. */
  get lives(): number {
    return this.#lives;
  }

  listenToCrashes(listener: (report: CrashReport) => void): void {
    this.#onCrash = listener;
  }

  /** Starts the first engine. @throws EngineStartError, AddonError. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => this.whenReady({ send: () => resolve(), fail: reject }));
  }

  /** Calls an engine, which is started if there is none. */
  call(method: EngineMethod, values: readonly unknown[], options?: CallOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.whenReady({
        send: (engine) => engine.call(method, values, options).then(resolve, reject),
        fail: reject,
      });
    });
  }

  /** Tells the engine something, if there is one; another one does not need to know. */
  notify(notice: EngineNotice, values: readonly unknown[]): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push({ send: (engine) => engine.notify(notice, values), fail: () => {} });
      return;
    }
    this.#engine?.notify(notice, values);
  }

  /** Sends at once where there is an engine; else when there is one, in order. */
  whenReady(waiting: Waiting): void {
    if (this.#closed) waiting.fail(closedError());
    else if (this.#engine !== undefined) waiting.send(this.#engine);
    else if (this.#waiting !== undefined) this.#waiting.push(waiting);
    else {
      this.#waiting = [waiting];
      void this.#startEngine();
    }
  }

  /** What was made by a call is made again by it in each later engine. */
  remember(handle: number, recipe: Recipe): void {
    this.#recipes.set(handle, recipe);
  }

  /** Hears what happens in a context. */
  listen(context: number, listener: (events: NativeStepEvents) => void): void {
    this.#listeners.set(context, listener);
  }

  forget(handle: number): void {
    this.#recipes.delete(handle);
    this.#listeners.delete(handle);
    for (const [part, { partOf }] of [...this.#recipes]) {
      if (partOf === handle) this.#recipes.delete(part);
    }
  }

  /**
   * Calls of one kind that have run for so long are not going to end: the engine is replaced as soon as nothing else is
   * in flight in it.
   */
  retire(method: EngineMethod, milliseconds: number): void {
    this.#retireMethod = { method, milliseconds };
    this.#replaceIfStuck();
  }

  /** Ends the engine; whatever is in flight fails with CLOSED. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#recipes.clear();
    for (const { fail } of this.#waiting ?? []) fail(closedError());
    this.#waiting = undefined;
    await Promise.all([this.#engine?.close(), this.#replaced]);
  }

  async #startEngine(): Promise<void> {
    let engine: ChildEngine | undefined;
    try {
      await this.#awaitTurn();
      engine = await this.#launch();
      if (this.#closed) throw closedError();
      for (const [makes, { method, arguments: values }] of [...this.#recipes]) {
        if (this.#recipes.has(makes)) await engine.call(method, values, { makes, isRepeated: true });
      }
      if (this.#closed) throw closedError();
      this.#lives++;
      this.#engine = engine;
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      for (const { send } of waiting) send(engine);
    } catch (error) {
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      await engine?.close();
      for (const { fail } of waiting) fail(error);
    }
  }

  /** @throws EngineStartError after too many crashes in a row. */
  async #awaitTurn(): Promise<void> {
    const now = performance.now();
    const wait = this.#policy.delayMs(now);
    if (wait === undefined) {
      const crashes = this.#policy.crashesInARow;
      const retryAfterMs = this.#policy.retryAfterMs(now);
      throw createError(
        'ENGINE_START_FAILED',
        `The engine crashed ${crashes} times in a row without evaluating anything, which is the crashLimit. It is not ` +
          `started again for ${Math.ceil(retryAfterMs / 1000)} s. The crash reports of the model tell why it crashes.`,
        { details: { crashes, retryAfterMs } },
      );
    }
    if (wait > 0) await delay(wait);
  }

  async #launch(): Promise<ChildEngine> {
    let engine: ChildEngine | undefined;
    try {
      engine = await ChildEngine.start(this.#settings, {
        onEvents: (context, events) => this.#listeners.get(context)?.(events),
        onWorked: () => this.#policy.worked(),
        onSettled: () => this.#replaceIfStuck(),
        onCrash: (error, crash) => {
          this.#policy.crashed(performance.now());
          if (this.#engine === engine) this.#lose(error);
          this.#onCrash({ ...crash, crashesInARow: this.#policy.crashesInARow });
        },
      });
    } catch (error) {
      this.#policy.crashed(performance.now());
      throw error;
    }
    this.#facts ??= await engine.facts;
    return engine;
  }

  /** The engine is gone; contexts that will be made again hear of it. */
  #lose(error: LlamaNativeError): void {
    this.#engine = undefined;
    this.#retireMethod = undefined;
    for (const [handle, { onEvents }] of [...this.#recipes]) {
      if (this.#recipes.has(handle)) onEvents?.({ generations: [], lost: error });
    }
    for (const handle of [...this.#listeners.keys()]) {
      if (!this.#recipes.has(handle)) this.#listeners.delete(handle);
    }
  }

  #replaceIfStuck(): void {
    const stuck = this.#retireMethod;
    const engine = this.#engine;
    if (stuck === undefined || engine === undefined) return;
    if (!engine.onlyStuck(stuck.method, stuck.milliseconds)) return;
    const message = 'The engine was replaced, because something in it did not end.';
    this.#lose(createError('ENGINE_CRASHED', message));
    this.#replaced = engine.close();
  }
}

function closedError(): LlamaNativeError {
  return createError('CLOSED', 'The model is closed. Load it again to use it.');
}

import { EventEmitter, setMaxListeners } from 'node:events';
import type { Model, Timings, Usage } from '../../index.js';
import { serverClosing } from '../failures.js';
import type { Client } from '../http/fastify-types.js';
import type { ModelPool } from '../models/model-pool.js';
import { Admission, type AdmissionLimits } from './admission.js';
import type { RequestScope } from './request-scope.js';

/** What is asked of a model. */
export type WorkKind = 'chat' | 'completion' | 'embedding' | 'rerank' | 'tokens';

/** A request that makes a model work. */
export interface WorkRequest {
  readonly scope: RequestScope;
  readonly client: Client;
  readonly kind: WorkKind;
  /** Name of the model; undefined for the default one. */
  readonly model: string | undefined;
}

/** What a task of {@link Work.run} works with. */
export interface WorkPlace {
  readonly model: Model;
  /** The model's own name, whichever alias was asked for. */
  readonly name: string;
  /** To be given to every call: fires when the request has ended for any reason. */
  readonly signal: AbortSignal;
  /** To be told what came of a generation, or of each of several. */
  readonly record: (result: WorkResult) => void;
}

/** What came of a generation. */
export interface WorkResult {
  readonly usage: Usage;
  readonly timings: Timings;
}

/** Events of {@link Work}, for metrics and logs. */
export interface WorkEvents {
  /** A request was let in. */
  begin: [WorkRequest, string];
  /** A generation has ended well. */
  result: [WorkRequest, string, WorkResult];
  /** A request that was let in has ended; with what it failed, if it failed. */
  end: [WorkRequest, string, { readonly durationMs: number; readonly error: unknown }];
  /** A request was not let in. */
  refuse: [WorkRequest, unknown];
}

/** How long cancelled requests are waited for: they end within a step, and then tell their clients. */
const farewellMs = 5000;

/** The one door to the models, for every protocol: who may work, for how long, and who hears of it. */
export class Work extends EventEmitter<WorkEvents> {
  readonly #models: ModelPool;
  readonly #admission: Admission;
  readonly #closing = new AbortController();
  /** What runs or waits, one entry for each. */
  readonly #running = new Set<{ readonly scope: RequestScope }>();
  /** Told when nothing runs any more. */
  #onRest: (() => void)[] = [];

  constructor(models: ModelPool, limits: AdmissionLimits) {
    super();
    this.#models = models;
    this.#admission = new Admission(limits);
    setMaxListeners(0, this.#closing.signal); // each stream that waits for nothing in particular listens
  }

  /** Requests that run or wait. */
  get inFlight(): number {
    return this.#admission.inFlight;
  }

  /** Fires when the server begins to close: whatever waits for nothing in particular should end then. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Runs a task on a model. A task that streams does so inside of it.
   * @throws RequestError if there is no such model or no room; else what the task throws.
   */
  async run<Result>(request: WorkRequest, task: (place: WorkPlace) => Promise<Result>): Promise<Result> {
    const { name, leave } = this.#enter(request);
    const entry = { scope: request.scope };
    this.#running.add(entry);
    const began = performance.now();
    let failure: unknown;
    this.emit('begin', request, name);
    try {
      return await this.#models.use(name, request.scope.signal, (model) =>
        task({
          model,
          name,
          signal: request.scope.signal,
          record: (result) => this.emit('result', request, name, result),
        }),
      );
    } catch (error) {
      failure = request.scope.reasonOf(error);
      throw failure;
    } finally {
      leave();
      this.#running.delete(entry);
      if (this.#running.size === 0) for (const tell of this.#onRest.splice(0)) tell();
      this.emit('end', request, name, { durationMs: performance.now() - began, error: failure });
    }
  }

  /**
   * Lets nobody in any more, and waits for what runs. What takes longer than `timeoutMs` is told to end, which streams
   * do with an error event, and is waited for a little more.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#closing.abort();
    if (await this.#comesToRest(timeoutMs)) return;
    for (const { scope } of [...this.#running]) scope.cancel(serverClosing());
    await this.#comesToRest(farewellMs);
  }

  /** @returns whether nothing runs any more. */
  #comesToRest(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        resolve(this.#running.size === 0);
      };
      const timer = setTimeout(done, timeoutMs);
      if (this.#running.size === 0) done();
      else this.#onRest.push(done);
    });
  }

  #enter(request: WorkRequest): { name: string; leave: () => void } {
    try {
      if (this.closing.aborted) throw serverClosing();
      const { name } = this.#models.find(request.model);
      return { name, leave: this.#admission.enter(name, request.client) };
    } catch (error) {
      this.emit('refuse', request, error);
      throw error;
    }
  }
}

/** What a heartbeat looks at. */
export interface WatchedEngine {
  /** Asks for a sign of life, which comes back through {@link Heartbeat.pong}. */
  ping(): void;
  /** Counts a beat; true if a call of its own has waited for more than `limit` of them. */
  countBeat(limit: number): boolean;
  /** Whether the engine has something to do now that should make progress. */
  expectsProgress(): boolean;
  /** Called once, when the engine counts as hung. */
  onHang(): void;
  /** Called with each sign of life. */
  onMemory(bytes: number): void;
}

/** How often an engine is asked, at most. */
const longestIntervalMs = 250;
const intervalsPerTimeout = 10;

/**
 * Finds out that an engine hangs: it does not answer, or it stands still over its work. Time is counted in beats, not
 * by the clock: when this process was busy or asleep, many beats are missed at once and count as one, so an engine whose
 * answers nobody could read is not held to have given none.
 */
export class Heartbeat {
  readonly #engine: WatchedEngine;
  readonly #intervalMs: number;
  readonly #limit: number;
  #timer: NodeJS.Timeout | undefined;
  #unanswered = 0;
  #standing = 0;
  #progress = 0;
  #alive = false;

  constructor(engine: WatchedEngine, timeoutMs: number) {
    this.#engine = engine;
    this.#intervalMs = Math.min(longestIntervalMs, timeoutMs / intervalsPerTimeout);
    this.#limit = Math.ceil(timeoutMs / this.#intervalMs);
  }

  /** Begins to watch, where it does not already; without work there is nothing to watch. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#unanswered = 0;
    this.#standing = 0;
    this.#timer = setInterval(() => this.#beat(), this.#intervalMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The engine answered a ping. */
  pong(progress: number, memoryBytes: number): void {
    this.#unanswered = 0;
    if (progress !== this.#progress) this.#alive = true;
    this.#progress = progress;
    this.#engine.onMemory(memoryBytes);
  }

  /** The engine sent something else, which is progress. */
  notice(): void {
    this.#alive = true;
  }

  #beat(): void {
    this.#standing = this.#alive || !this.#engine.expectsProgress() ? 0 : this.#standing + 1;
    this.#alive = false;
    const overdue = this.#engine.countBeat(this.#limit);
    if (overdue || this.#unanswered >= this.#limit || this.#standing >= this.#limit) {
      this.stop();
      this.#engine.onHang();
      return;
    }
    this.#unanswered++;
    this.#engine.ping();
  }
}

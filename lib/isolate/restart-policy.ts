/** The first crash in a row is answered at once; each further one doubles the wait from here. */
const firstDelayMs = 100;
const longestDelayMs = 10_000;

/** How long a limit holds. */
const coolDownMs = 60_000;

/** When an engine that crashed may be started again. Pure policy: it knows times, not processes. */
export class RestartPolicy {
  readonly #crashLimit: number;
  #inARow = 0;
  #lastCrash = 0;

  constructor(crashLimit: number) {
    this.#crashLimit = crashLimit;
  }

  /** Crashes without anything evaluated in between. */
  get crashesInARow(): number {
    return this.#inARow;
  }

  /** The engine crashed, or could not be started. */
  crashed(now: number): void {
    this.#inARow++;
    this.#lastCrash = now;
  }

  /** The engine evaluated something: what made it crash is over. */
  worked(): void {
    this.#inARow = 0;
  }

  /** How long to wait before a start; undefined while there shall be none. */
  delayMs(now: number): number | undefined {
    if (this.#inARow < 2) return 0;
    const since = now - this.#lastCrash;
    if (this.#inARow < this.#crashLimit) {
      const delay = Math.min(firstDelayMs * 2 ** (this.#inARow - 2), longestDelayMs);
      return Math.max(0, delay - since);
    }
    return since >= coolDownMs ? 0 : undefined;
  }

  /** How long there will be no start yet. */
  retryAfterMs(now: number): number {
    return Math.max(0, Math.ceil(coolDownMs - (now - this.#lastCrash)));
  }
}

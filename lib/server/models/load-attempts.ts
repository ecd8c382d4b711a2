const firstPauseMs = 1000;
const longestPauseMs = 60_000;

/**
 * Keeps requests from loading again and again what cannot be loaded: after each failure in a row they are refused for
 * twice as long as before.
 */
export class LoadAttempts {
  #failures = 0;
  #nextMs = 0;

  /** How long requests are refused from now on; 0 where they may load. */
  pauseMs(now: number): number {
    return Math.max(0, this.#nextMs - now);
  }

  /** @param pauseMs where the failure itself says how long; else it is a matter of how many there were. */
  failed(now: number, pauseMs?: number): void {
    this.#failures += 1;
    const doubled = firstPauseMs * 2 ** Math.min(this.#failures - 1, 10);
    this.#nextMs = now + (pauseMs ?? Math.min(doubled, longestPauseMs));
  }

  succeeded(): void {
    this.#failures = 0;
    this.#nextMs = 0;
  }
}

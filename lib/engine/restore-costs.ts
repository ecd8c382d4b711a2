/** Bytes of state that are checked and put back into the cache in a millisecond, on a slow machine. */
const restoredBytesPerMs = 1e6;

/** Bytes read from the disk in a millisecond, before any were read. */
const defaultReadBytesPerMs = 5e5;

/** Time to evaluate a token of a prompt, before any was evaluated: that of a small model on a graphics card. */
const defaultTokenMs = 0.1;

/** Fewer tokens than this are never worth it. */
const leastTokens = 16;

/** How much of the newest measurement goes into the average. */
const weight = 0.3;

function average(before: number | undefined, now: number): number {
  return before === undefined ? now : before + weight * (now - before);
}

/** Decides whether restoring saved state is quicker than evaluating its tokens, from what was measured. */
export class RestoreCosts {
  #tokenMs: number | undefined;
  #readBytesPerMs: number | undefined;

  /** Notes how long the tokens of a prompt took to evaluate. */
  evaluated(tokens: number, milliseconds: number): void {
    // A few tokens tell more of the step's fixed costs than of theirs.
    if (tokens >= leastTokens && milliseconds > 0)
      this.#tokenMs = average(this.#tokenMs, milliseconds / tokens);
  }

  /** Notes how long a state took to read from the disk. */
  read(bytes: number, milliseconds: number): void {
    this.#readBytesPerMs = average(this.#readBytesPerMs, bytes / Math.max(milliseconds, 0.01));
  }

  /** Whether a state of `bytes`, which spares the evaluation of `tokens`, is worth restoring. */
  pays(tokens: number, bytes: number, onDisk: boolean): boolean {
    const readMs = onDisk ? bytes / (this.#readBytesPerMs ?? defaultReadBytesPerMs) : 0;
    const restoreMs = bytes / restoredBytesPerMs;
    return tokens >= leastTokens && tokens * (this.#tokenMs ?? defaultTokenMs) > readMs + restoreMs;
  }
}

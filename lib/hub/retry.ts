import { delay } from './abort.js';
import { ConnectionFailure, HttpFailure } from './http.js';
import type { HubSettings, Tuning } from './settings.js';

/** True for failures that may pass by themselves. A name that does not resolve is not one of them,
 * nor is a proxy that refuses. */
export function isTransient(error: unknown): boolean {
  if (error instanceof HttpFailure)
    return error.status === 429 || error.status === 408 || error.status >= 500;
  return error instanceof ConnectionFailure && !/^(ENOTFOUND|PROXY_REFUSAL)$/.test(error.systemCode ?? '');
}

/** Counts tries that brought nothing, and waits longer after each. */
export class Patience {
  #failures = 0;
  readonly #tuning: Tuning;
  readonly #signal: AbortSignal | undefined;

  constructor({ tuning, signal }: Pick<HubSettings, 'tuning' | 'signal'>) {
    this.#tuning = tuning;
    this.#signal = signal;
  }

  /** Something was received, so the connection works: start counting afresh. */
  renew(): void {
    this.#failures = 0;
  }

  /** Waits before the next try, or throws the error when it will not pass or there were too many. */
  async afterFailure(error: unknown): Promise<void> {
    this.#failures += 1;
    if (!isTransient(error) || this.#failures >= this.#tuning.attempts) throw error;
    const growing = Math.min(this.#tuning.firstDelayMs * 2 ** (this.#failures - 1), this.#tuning.maxDelayMs);
    const asked = error instanceof HttpFailure ? error.retryAfterMs : undefined;
    if (asked !== undefined && asked > this.#tuning.maxRetryAfterMs) throw error;
    await delay(asked ?? growing, this.#signal);
  }
}

/** Repeats an operation while its failures may pass. */
export async function withRetries<Result>(
  settings: Pick<HubSettings, 'tuning' | 'signal'>,
  operation: () => Promise<Result>,
): Promise<Result> {
  const patience = new Patience(settings);
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      await patience.afterFailure(error);
    }
  }
}

import { RequestError } from '../failures.js';
import { anonymous, type Client } from '../http/fastify-types.js';

const minuteMs = 60_000;

/** Counts what each client asks for in a minute, for the protocols that are not HTTP. */
export class RequestRate {
  readonly #most: number | undefined;
  readonly #now: () => number;
  #counts = new Map<string, number>();
  #begun: number;

  /** @param most how much a client may ask for in a minute; undefined for any amount. */
  constructor(most: number | undefined, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#now = now;
    this.#begun = now();
  }

  /**
   * Counts one request.
   * @param address tells clients without a key apart.
   * @throws RequestError 429 for one too many.
   */
  take(client: Client, address: string): void {
    if (this.#most === undefined) return;
    const now = this.#now();
    if (now - this.#begun >= minuteMs) {
      this.#begun = now;
      this.#counts = new Map();
    }
    const key = client.name === anonymous.name ? `at ${address}` : client.name;
    const count = (this.#counts.get(key) ?? 0) + 1;
    if (count > this.#most) {
      const retryAfterSeconds = Math.max(1, Math.ceil((this.#begun + minuteMs - now) / 1000));
      const message = `More than ${this.#most} requests in a minute. Try again in ${retryAfterSeconds} s.`;
      throw new RequestError('rate-limited', 'rate_limit_exceeded', message, { retryAfterSeconds });
    }
    this.#counts.set(key, count);
  }
}

import { setMaxListeners } from 'node:events';
import { RequestError } from '../failures.js';

/**
 * The life of one request, whatever protocol it came by: its signal fires when the client goes away, when its time is
 * over, or when the server has to end it.
 */
export class RequestScope {
  /** Names the request in logs and to the client. */
  readonly id: string;
  readonly signal: AbortSignal;
  /** The trace that the client's request belongs to, as W3C writes it; undefined if there is none. */
  readonly traceparent: string | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param timeoutMs how long the request may take; 0 for any time. */
  constructor(id: string, timeoutMs: number, traceparent?: string) {
    this.id = id;
    this.traceparent = traceparent;
    this.signal = this.#controller.signal;
    setMaxListeners(0, this.signal); // a request may be many generations
    if (timeoutMs > 0) {
      this.#timer = setTimeout(() => {
        const message = `The request took longer than the ${timeoutMs} ms that the server allows. Ask for fewer tokens.`;
        this.cancel(new RequestError('timeout', 'timeout', message));
      }, timeoutMs);
      this.#timer.unref();
    }
  }

  /** Ends the request: what it waits for rejects, what it computes is given up within a step. */
  cancel(reason: RequestError): void {
    this.end();
    this.#controller.abort(reason);
  }

  /** The request is done; its time no longer counts. */
  end(): void {
    clearTimeout(this.#timer);
  }

  /** The error to tell of: why the request was cancelled, where what failed only failed because of that. */
  reasonOf(error: unknown): unknown {
    return this.signal.aborted && this.signal.reason instanceof RequestError ? this.signal.reason : error;
  }
}

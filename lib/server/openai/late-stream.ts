import type { FastifyReply, FastifyRequest } from 'fastify';
import { reportFailure } from '../http/error-handling.js';
import { EventStream } from '../http/event-stream.js';
import { toOpenaiError } from './errors.js';

/** How long nothing may be said at all. Then the head is sent, and comments keep the connection alive. */
const longestSilenceMs = 10_000;

/**
 * A stream that opens with its first event: what fails before, such as a prompt that is too long, is told with its
 * status. Waits no longer than ten seconds for it.
 */
export class LateStream {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #settings: { readonly slowReaderTimeoutMs: number };
  readonly #timer: NodeJS.Timeout;
  #stream: EventStream | undefined;
  #hasEnded = false;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    settings: { readonly slowReaderTimeoutMs: number },
    silenceMs = longestSilenceMs,
  ) {
    this.#request = request;
    this.#reply = reply;
    this.#settings = settings;
    this.#timer = setTimeout(() => {
      if (!reply.raw.destroyed && !reply.raw.headersSent) this.#open();
    }, silenceMs);
    this.#timer.unref();
  }

  /** Sends whole events. @returns a promise where the reader has to be waited for. */
  write(events: string): Promise<void> | undefined {
    if (this.#hasEnded) return undefined;
    return (this.#stream ?? this.#open()).write(events);
  }

  /** Ends the answer. */
  end(): void {
    clearTimeout(this.#timer);
    this.#hasEnded = true;
    this.#stream?.end();
  }

  /**
   * Tells of a failure as an event, and ends the answer.
   * @throws the error where nothing was sent yet, for an answer with its status.
   */
  fail(error: unknown): void {
    clearTimeout(this.#timer);
    if (this.#stream === undefined) throw error;
    const failure = reportFailure(this.#request, error);
    this.#stream.send(JSON.stringify(toOpenaiError(failure)));
    this.end();
  }

  #open(): EventStream {
    clearTimeout(this.#timer);
    this.#stream = EventStream.open(this.#request, this.#reply, this.#settings);
    return this.#stream;
  }
}

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Failure } from '../failures.js';
import { reportFailure } from './error-handling.js';
import { EventStream } from './event-stream.js';

/** How a stream is answered. */
export interface LateStreamOptions {
  readonly slowReaderTimeoutMs: number;
  /** The data of the event that tells of a failure after the stream has begun. */
  readonly failureData: (failure: Failure) => object;
  /** How long nothing may be said at all; then the head is sent, and comments keep the connection alive. Default 10000. */
  readonly silenceMs?: number;
}

/**
 * A stream that opens with its first event: what fails before, such as a prompt that is too long, is told with its
 * status. Waits no longer than `silenceMs` for it.
 */
export class LateStream {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #options: LateStreamOptions;
  readonly #timer: NodeJS.Timeout;
  #stream: EventStream | undefined;
  #hasEnded = false;

  constructor(request: FastifyRequest, reply: FastifyReply, options: LateStreamOptions) {
    this.#request = request;
    this.#reply = reply;
    this.#options = options;
    this.#timer = setTimeout(() => {
      if (!reply.raw.destroyed && !reply.raw.headersSent) this.#open();
    }, options.silenceMs ?? 10_000);
    this.#timer.unref();
  }

  /** Sends whole events. @returns a promise where the reader has to be waited for. */
  write(events: string): Promise<void> | undefined {
    if (this.#hasEnded) return undefined;
    return (this.#stream ?? this.#open()).write(events);
  }

  /** Sends an event whose data is one line. @returns a promise where the reader has to be waited for. */
  send(data: string): Promise<void> | undefined {
    return this.write(`data: ${data}\n\n`);
  }

  /** Ends the answer, which has no events at all if none was sent. */
  end(): void {
    clearTimeout(this.#timer);
    if (this.#hasEnded) return;
    const stream = this.#stream ?? (this.#reply.raw.destroyed ? undefined : this.#open());
    this.#hasEnded = true;
    stream?.end();
  }

  /**
   * Tells of a failure as an event, and ends the answer.
   * @throws the error where nothing was sent yet, for an answer with its status.
   */
  fail(error: unknown): void {
    clearTimeout(this.#timer);
    if (this.#stream === undefined) throw error;
    this.send(JSON.stringify(this.#options.failureData(reportFailure(this.#request, error))));
    this.end();
  }

  #open(): EventStream {
    clearTimeout(this.#timer);
    this.#stream = EventStream.open(this.#request, this.#reply, this.#options);
    return this.#stream;
  }
}

/** Answers with the events of a task. What it throws is told with its status before the first event, and as one after. */
export async function answerWithEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  options: LateStreamOptions,
  task: (stream: LateStream) => Promise<void>,
): Promise<void> {
  const stream = new LateStream(request, reply, options);
  try {
    await task(stream);
    stream.end();
  } catch (error) {
    stream.fail(error);
  }
}

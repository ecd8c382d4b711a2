import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from '../failures.js';

/** How long nothing may be sent before a comment tells proxies that the connection lives. */
const keepAliveMs = 15_000;

/**
 * An answer as server-sent events. Waits for slow readers, so that nothing piles up in memory, and gives them up when
 * they take nothing for too long.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #request: FastifyRequest;
  readonly #slowReaderTimeoutMs: number;
  readonly #keepAlive: NodeJS.Timeout;

  private constructor(request: FastifyRequest, response: ServerResponse, slowReaderTimeoutMs: number) {
    this.#request = request;
    this.#response = response;
    this.#slowReaderTimeoutMs = slowReaderTimeoutMs;
    this.#keepAlive = setInterval(() => {
      if (!response.destroyed && !response.writableNeedDrain) response.write(': waiting\n\n');
    }, keepAliveMs);
    this.#keepAlive.unref();
    response.on('error', () => {}); // the client went away while something was written, of which the signal tells
  }

  /** Sends the head of the answer. From here on failures have to be told as events. */
  static open(
    request: FastifyRequest,
    reply: FastifyReply,
    { slowReaderTimeoutMs }: { readonly slowReaderTimeoutMs: number },
  ): EventStream {
    reply.hijack();
    // What hooks have set, such as the request's id and what CORS asks for.
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    // One event is one small packet; waiting for more to send would only make tokens late.
    reply.raw.socket?.setNoDelay(true);
    return new EventStream(request, reply.raw, slowReaderTimeoutMs);
  }

  /**
   * Sends an event whose data is one line, such as JSON.
   * @returns a promise where the reader has to be waited for; most events need none.
   */
  send(data: string, name?: string): Promise<void> | undefined {
    return this.write(name === undefined ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`);
  }

  /** Sends text that is made of whole events already. */
  write(events: string): Promise<void> | undefined {
    // Nobody listens any more, and the request's signal has fired; or a late part of an answer whose end was sent.
    if (this.#response.destroyed || this.#response.writableEnded) return undefined;
    if (this.#response.write(events)) {
      this.#keepAlive.refresh();
      return undefined;
    }
    return this.#drained();
  }

  /** Ends the answer. What is still to be read may not be read for as long as anything else. */
  end(): void {
    clearInterval(this.#keepAlive);
    this.#response.socket?.setTimeout(this.#slowReaderTimeoutMs);
    this.#response.end();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.#response.off('drain', settle).off('close', settle);
        resolve();
      };
      const timer = setTimeout(() => {
        const message = `The client read nothing for ${this.#slowReaderTimeoutMs} ms.`;
        this.#request.scope.cancel(new RequestError('cancelled', 'slow_reader', message));
        this.#response.destroy();
        settle(); // an answer that waits for another one on its connection is told of nothing
      }, this.#slowReaderTimeoutMs);
      this.#response.on('drain', settle).on('close', settle);
    });
  }
}

import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import type { ServerContext } from '../context.js';
import { type Failure, RequestError, serverClosing, toFailure } from '../failures.js';
import type { Client } from '../http/fastify-types.js';
import { toJsonText } from '../http/json-body.js';
import { RequestScope } from '../workload/request-scope.js';
import { generate, toDone } from './generation.js';
import { type ClientMessage, RefusedMessage, readMessage, type StartMessage } from './messages.js';
import { type Socket, SocketWriter } from './socket.js';

/** Generations that may run on one connection at once. */
export const mostGenerations = 64;

/** How long a client may take to agree that a connection closes. */
const goodbyeMs = 1000;

/** Going away: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const goingAway = 1001;

interface Running {
  readonly scope: RequestScope;
  readonly ended: Promise<void>;
  /** The client does not want it any more. */
  isCancelled: boolean;
}

/** Where a connection comes from. */
export interface ConnectionOrigin {
  readonly context: ServerContext;
  readonly client: Client;
  /** Counts what the client starts. @throws RequestError for one too many. */
  readonly takeRate: () => void;
  readonly log: FastifyBaseLogger;
}

function toError({ code, message, param, retryAfterSeconds }: Failure): object {
  return {
    code,
    message,
    ...(param !== undefined && { param }),
    ...(retryAfterSeconds !== undefined && { retry_after: retryAfterSeconds }),
  };
}

/** One client's WebSocket, and the generations that go on over it. */
export class Connection {
  readonly #socket: Socket;
  readonly #origin: ConnectionOrigin;
  readonly #writer: SocketWriter;
  readonly #running = new Map<string, Running>();
  readonly #closed: Promise<void>;
  #isLeaving = false;
  #isAlive = true;

  constructor(socket: Socket, origin: ConnectionOrigin) {
    this.#socket = socket;
    this.#origin = origin;
    this.#writer = new SocketWriter(socket, origin.context.settings.slowReaderTimeoutMs);
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    this.#closed = new Promise((resolve) => socket.once('close', resolve));
    socket.once('close', () =>
      this.#cancelAll(new RequestError('cancelled', 'cancelled', 'The client closed the connection.')),
    );
  }

  /** Generations that go on. */
  get size(): number {
    return this.#running.size;
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Asks whether the other side is still there, and cuts it off if it did not answer the last time. */
  probe(): void {
    if (this.#isAlive) this.#socket.ping();
    else this.#socket.terminate();
    this.#isAlive = false;
  }

  /** Says goodbye: takes no more messages, ends what still runs and closes. The server has waited for it before. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#cancelAll(serverClosing());
    await within(goodbyeMs, this.#allEnded());
    this.#socket.close(goingAway, 'The server is closing.');
    await within(goodbyeMs, this.#closed);
    this.#socket.terminate();
  }

  async #allEnded(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #cancelAll(reason: RequestError): void {
    for (const { scope } of this.#running.values()) scope.cancel(reason);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    let answer: object | undefined;
    try {
      if (isBinary) {
        const message = 'Expected messages of text; this is a binary one.';
        throw new RefusedMessage(undefined, 'binary_message', message);
      }
      answer = this.#obey(readMessage(toJsonText(data)));
    } catch (error) {
      const id = error instanceof RefusedMessage ? error.id : undefined;
      answer = { type: 'refused', ...(id !== undefined && { id }), error: toError(toFailure(error)) };
    }
    if (answer !== undefined) this.#answer(answer);
  }

  /** While answers wait for the client to read them, nothing more of it is read. */
  #answer(answer: object): void {
    const wait = this.#writer.send(JSON.stringify(answer));
    if (wait === undefined) return;
    this.#socket.pause();
    wait.then(() => this.#socket.resume());
  }

  #obey(message: ClientMessage): object | undefined {
    const { id } = message;
    switch (message.type) {
      case 'ping':
        return { type: 'pong', ...(id !== undefined && { id }) };
      case 'cancel':
        this.#cancel(message.id);
        return undefined;
      default:
        this.#start(message);
        return undefined;
    }
  }

  #cancel(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) {
      const message = `No generation with the id ${JSON.stringify(id)} goes on here; it may have ended already.`;
      throw new RefusedMessage(id, 'unknown_id', message, { param: 'id' });
    }
    running.isCancelled = true;
    running.scope.cancel(new RequestError('cancelled', 'cancelled', 'The client cancelled it.'));
  }

  #start(message: StartMessage): void {
    const { id } = message;
    if (this.#isLeaving) throw RefusedMessage.from(id, serverClosing());
    if (this.#running.has(id)) {
      const text = `The id ${JSON.stringify(id)} belongs to a generation that still goes on. Choose another one.`;
      throw new RefusedMessage(id, 'duplicate_id', text, { param: 'id' });
    }
    if (this.#running.size >= mostGenerations) {
      const text = `${mostGenerations} generations go on over this connection, as many as may. Wait for one to end.`;
      throw new RefusedMessage(id, 'too_many_generations', text);
    }
    this.#takeRate(id);
    const scope = new RequestScope(randomUUID(), this.#origin.context.settings.requestTimeoutMs);
    const { promise: ended, resolve } = withResolver();
    const running: Running = { scope, ended, isCancelled: false };
    this.#running.set(id, running);
    this.#run(message, running).finally(resolve);
  }

  #takeRate(id: string): void {
    try {
      this.#origin.takeRate();
    } catch (error) {
      throw error instanceof RequestError ? RefusedMessage.from(id, error) : error;
    }
  }

  async #run(message: StartMessage, running: Running): Promise<void> {
    const { context, client } = this.#origin;
    const { scope } = running;
    const { id } = message;
    const send = (json: string) => this.#writer.send(json);
    let last: string | undefined;
    try {
      await generate({ context, client, scope, message, send });
    } catch (error) {
      last = running.isCancelled ? toDone(id, { finishReason: 'cancelled' }) : this.#tell(id, scope, error);
    } finally {
      scope.end();
      this.#running.delete(id);
    }
    if (last !== undefined) await this.#writer.send(last);
  }

  /** The message for a generation that failed. */
  #tell(id: string, scope: RequestScope, error: unknown): string {
    const reason = scope.reasonOf(error);
    const failure = toFailure(reason);
    const { log } = this.#origin;
    if (failure.status >= 500) {
      log.error({ err: reason, code: failure.code, requestId: scope.id }, 'the request failed');
    } else {
      log.debug({ code: failure.code, param: failure.param, requestId: scope.id }, 'the request was refused');
    }
    return JSON.stringify({ type: 'error', id, request_id: scope.id, error: toError(failure) });
  }
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Waits for a promise, for a bounded time. */
async function within(milliseconds: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}

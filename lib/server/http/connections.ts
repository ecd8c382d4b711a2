import type { ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** How often a server that closes looks whether answers are on their way. */
const pollMs = 20;
/** What WebSockets have to say goodbye; whoever has sent half a request has longer than that already. */
const farewellMs = 300;

/** The connections of a server: who is slow to read is given up, and when the server ends so do they. */
export class Connections {
  readonly #app: FastifyInstance;
  readonly #sockets = new Set<Socket>();
  /** Answers that are not with the system yet. */
  readonly #answers = new Set<ServerResponse>();
  #isClosing = false;

  constructor(app: FastifyInstance, slowReaderTimeoutMs: number) {
    this.#app = app;
    app.server.on('connection', (socket: Socket) => this.#watch(socket));
    app.addHook('onRequest', (request, reply, done) => {
      this.#watch(request.raw.socket); // of the second address of `localhost` nothing else tells
      if (request.headers.upgrade === undefined) this.#follow(reply.raw); // a WebSocket is no answer that ends
      done();
    });
    app.addHook('onSend', (request, reply, _payload, done) => {
      if (this.#isClosing) reply.header('connection', 'close');
      // Counts only while nothing moves; Node.js sets its own time when the answer is out.
      request.raw.socket.setTimeout(slowReaderTimeoutMs);
      done();
    });
  }

  /** Whether an answer has begun to go out on this connection. */
  isAnswering(socket: Duplex): boolean {
    return [...this.#answers].some((answer) => answer.socket === socket && answer.headersSent);
  }

  /** Lets nobody connect any more. Who is connected is answered, and then told to go. */
  stopListening(): void {
    this.#isClosing = true;
    // That of http.Server would cut the connections of answers that are on their way.
    NetServer.prototype.close.call(this.#app.server);
  }

  /** Waits until all answers are with the system, for a bounded time; then ends all connections. */
  async close(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (this.#answers.size > 0 && performance.now() < end) await delay(pollMs);
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, farewellMs);
    await this.#app.close();
    clearTimeout(cut);
  }

  #follow(answer: ServerResponse): void {
    this.#answers.add(answer);
    answer.once('close', () => this.#answers.delete(answer));
  }

  #watch(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

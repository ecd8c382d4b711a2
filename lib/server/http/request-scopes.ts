import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestError } from '../failures.js';
import { RequestScope } from '../workload/request-scope.js';

function clientGone(): RequestError {
  return new RequestError('cancelled', 'cancelled', 'The client closed the connection.');
}

/**
 * The scopes of the requests of each connection. A request that was sent behind another one, without waiting for its
 * answer, hears of the end of the connection only here: its answer has no part in the connection yet.
 */
class ConnectionScopes {
  readonly #bySocket = new WeakMap<Socket, Set<RequestScope>>();

  add(socket: Socket, scope: RequestScope): void {
    this.#of(socket).add(scope);
  }

  delete(socket: Socket, scope: RequestScope): void {
    this.#bySocket.get(socket)?.delete(scope);
  }

  #of(socket: Socket): Set<RequestScope> {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known;
    const scopes = new Set<RequestScope>();
    this.#bySocket.set(socket, scopes);
    socket.once('close', () => {
      for (const scope of scopes) scope.cancel(clientGone());
      scopes.clear();
    });
    return scopes;
  }
}

function traceparentOf({ headers }: FastifyRequest): string | undefined {
  return typeof headers.traceparent === 'string' ? headers.traceparent : undefined;
}

/** Gives each HTTP request a scope, which ends when its client goes away. */
export function addRequestScopes(app: FastifyInstance, timeoutMs: number): void {
  const connections = new ConnectionScopes();
  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    const scope = new RequestScope(request.id, timeoutMs, traceparentOf(request));
    request.scope = scope;
    reply.header('x-request-id', request.id);
    connections.add(socket, scope);
    reply.raw.once('close', () => {
      connections.delete(socket, scope);
      if (reply.raw.writableFinished) scope.end();
      else scope.cancel(clientGone());
    });
    done();
  });
}

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestError } from '../failures.js';
import { RequestScope } from '../work/request-scope.js';

function traceparentOf({ headers }: FastifyRequest): string | undefined {
  return typeof headers.traceparent === 'string' ? headers.traceparent : undefined;
}

/** Gives each HTTP request a scope, which ends when its client goes away. */
export function addRequestScopes(app: FastifyInstance, timeoutMs: number): void {
  app.addHook('onRequest', (request, reply, done) => {
    const scope = new RequestScope(request.id, timeoutMs, traceparentOf(request));
    request.scope = scope;
    reply.header('x-request-id', request.id);
    reply.raw.once('close', () => {
      if (reply.raw.writableFinished) scope.end();
      else scope.cancel(new RequestError('cancelled', 'cancelled', 'The client closed the connection.'));
    });
    done();
  });
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';
import { Connection } from './connection.js';
import type { Socket } from './socket.js';

/** `/v1/stream`: several generations on one connection. See docs/server-websocket.md. */
export function websocketRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/v1/stream', { websocket: true }, (socket: Socket, request) => {
      request.scope.end(); // each generation has a scope of its own
      const { client, log } = request;
      const connection = new Connection(socket, { context, client, log });
      app.websocketConnections.add(connection);
      socket.once('close', () => app.websocketConnections.delete(connection));
    });
  };
}

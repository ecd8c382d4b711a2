import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import type { ServerSettings } from '../settings.js';
import type { Connection } from './connection.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The WebSockets that are open. */
    websocketConnections: Set<Connection>;
  }
}

/** How often clients are asked whether they are still there. */
const probeMs = 30_000;

/** How long a client may take to agree that a connection closes. */
const closeTimeoutMs = 5000;

/**
 * Lets requests become WebSockets. Comes before what may refuse a request: a connection whose request was refused is
 * closed by it.
 */
export async function addWebsockets(app: FastifyInstance, settings: ServerSettings): Promise<void> {
  const connections = new Set<Connection>();
  app.decorate('websocketConnections', connections);
  const timer = setInterval(() => {
    for (const connection of connections) connection.probe();
  }, probeMs);
  timer.unref();

  await app.register(websocket, {
    options: { maxPayload: settings.bodyLimitBytes, closeTimeout: closeTimeoutMs },
    // Frames that are damaged or too large: ws closes with the right code, and nothing else has to be done.
    errorHandler: (error, _socket, request) => {
      request.log.debug({ err: error }, 'a WebSocket failed');
    },
    preClose: async () => {
      clearInterval(timer);
      // What asks from now on would keep the server from closing.
      app.server.removeAllListeners('upgrade');
      app.server.on('upgrade', (_request, socket) => socket.destroy());
      await Promise.all([...connections].map((connection) => connection.leave()));
    },
  });
}

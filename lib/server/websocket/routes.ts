import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** `/v1/stream`: several generations on one connection. */
export function websocketRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

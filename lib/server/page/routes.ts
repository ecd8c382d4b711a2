import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** The chat page at `/`, and its files. */
export function pageRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** Loading and unloading of models, and what happens to them as events. */
export function modelRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

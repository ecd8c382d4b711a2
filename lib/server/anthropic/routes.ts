import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** Anthropic's `/v1/messages`. */
export function anthropicRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

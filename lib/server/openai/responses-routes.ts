import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** OpenAI's `/v1/responses`. */
export function responsesRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** What clients of llama-server ask for: `/tokenize`, `/detokenize`, `/apply-template`, `/props`, `/slots`. */
export function llamaCppRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** OpenAI's API: `/v1/models`, completions, chat, embeddings, rerank. */
export function openaiRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

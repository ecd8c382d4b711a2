import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** What clients of Text Generation Inference ask for: `/generate_stream`, `/info`. */
export function textGenerationInferenceRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

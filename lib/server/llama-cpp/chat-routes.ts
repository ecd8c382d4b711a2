import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';
import { chatRoutes as openaiChatRoutes } from '../openai/chat-routes.js';
import { explainBadBodies } from '../openai/validation.js';

/** `/chat/completions`: OpenAI's chat completions at llama-server's own path, with errors in its shape. */
export function chatRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    explainBadBodies(app);
    await app.register(openaiChatRoutes(context, '/chat/completions'));
  };
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';
import { handleErrors } from '../http/error-handling.js';
import { chatRoutes } from './chat-routes.js';
import { completionRoutes } from './completion-routes.js';
import { embeddingRoutes } from './embedding-routes.js';
import { toOpenaiError } from './errors.js';
import { openaiModelsRoutes } from './models-routes.js';
import { rerankRoutes } from './rerank-routes.js';
import { explainBadBodies } from './validation.js';

/** OpenAI's API: `/v1/models`, completions, chat, embeddings, rerank. */
export function openaiRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    handleErrors(app, toOpenaiError);
    explainBadBodies(app);
    // As it is: a serializer made from a schema leaves out what the schema does not name.
    app.setSerializerCompiler(() => (data) => JSON.stringify(data));
    for (const routes of [openaiModelsRoutes, chatRoutes, completionRoutes, embeddingRoutes, rerankRoutes]) {
      await app.register(routes(context));
    }
  };
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';
import { handleErrors } from '../http/error-handling.js';
import { chatRoutes } from './chat-routes.js';
import { complete } from './complete.js';
import { CompletionRequest } from './completion-request.js';
import { embeddingRoutes } from './embedding-routes.js';
import { toLlamaCppError } from './errors.js';
import { InfillRequest, readInfillPrompt } from './infill.js';
import { readPrompts } from './prompts.js';
import { propertyRoutes } from './property-routes.js';
import { tokenRoutes } from './token-routes.js';

/**
 * What clients of llama-server ask for: `/completion`, `/chat/completions`, `/embedding`, `/infill`, `/tokenize`,
 * `/detokenize`, `/apply-template`, `/props`, `/slots`.
 */
export function llamaCppRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    handleErrors(app, toLlamaCppError);
    await app.register(tokenRoutes(context));
    await app.register(propertyRoutes(context));
    await app.register(embeddingRoutes(context));
    await app.register(chatRoutes(context));

    for (const path of ['/completion', '/completions']) {
      app.post(
        path,
        {
          schema: {
            tags: ['llama.cpp'],
            summary: 'Continue a prompt, as llama-server does',
            body: CompletionRequest,
          },
        },
        async (request, reply) =>
          complete({
            context,
            request,
            reply,
            settings: request.body,
            readPrompts: ({ model }) => readPrompts(model, request.body.prompt),
          }),
      );
    }

    app.post(
      '/infill',
      {
        schema: {
          tags: ['llama.cpp'],
          summary: 'Write the code between two pieces of code',
          body: InfillRequest,
        },
      },
      async (request, reply) =>
        complete({
          context,
          request,
          reply,
          settings: request.body,
          readPrompts: ({ model }) => readInfillPrompt(model, request.body),
        }),
    );
  };
}

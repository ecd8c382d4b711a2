import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import { invalidField } from '../failures.js';
import { embed, planEmbeddings } from '../openai/embedding-routes.js';
import { nameCause } from '../openai/errors.js';
import { Nullable } from '../requests/nullable.js';

const Input = Type.Unsafe<string | readonly unknown[]>({
  type: ['string', 'array', 'null'],
  description: 'A text, an array of token ids, or an array of several of them.',
  items: {},
});

const EmbeddingRequest = Type.Object({
  content: Type.Optional(Input),
  input: Type.Optional(Input),
  model: Nullable(Type.String({ description: 'Name of the model. Default: the default model.' })),
});

/** Each vector is the only one of a list, since llama-server can tell one of each token, too. */
const EmbeddingResponse = Type.Array(
  Type.Object({ index: Type.Integer(), embedding: Type.Array(Type.Array(Type.Number())) }),
);

/** `/embedding`, `/embeddings`. */
export function embeddingRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    for (const path of ['/embedding', '/embeddings']) {
      app.post(
        path,
        {
          schema: {
            tags: ['llama.cpp'],
            summary: 'Turn texts into vectors, as llama-server does',
            body: EmbeddingRequest,
            response: { 200: EmbeddingResponse },
          },
        },
        async ({ body, scope, client }) => {
          const input = body.input ?? body.content;
          if (input === undefined || input === null) {
            throw invalidField('input', 'Expected a text in input or content; both are missing.');
          }
          const names = { input: 'input', format: 'input', maxTokens: 'input', tokens: 'input' };
          try {
            const plan = planEmbeddings({ input });
            const work = { scope, client, kind: 'embedding', model: body.model ?? undefined } as const;
            return await context.work.run(work, async ({ model, signal }) => {
              const { data } = await embed(model, plan, signal);
              return data.map(({ index, embedding }) => ({ index, embedding: [embedding as number[]] }));
            });
          } catch (error) {
            throw nameCause(error, names);
          }
        },
      );
    }
  };
}

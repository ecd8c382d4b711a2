import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import type { ServedModel } from '../models/types.js';

const ModelDescription = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer({ description: 'Seconds since 1970 at which the server took it up.' }),
  owned_by: Type.String(),
  aliases: Type.Array(Type.String(), { description: 'Other names of the model.' }),
  state: Type.String({ description: 'unloaded, loading, ready, unloading or failed.' }),
  meta: Type.Union([Type.Object({}, { additionalProperties: true }), Type.Null()], {
    description: 'What its file says, while it is loaded.',
  }),
});

const ModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(ModelDescription) });

function describe({ name, aliases, createdSeconds, state, model }: ServedModel) {
  return {
    id: name,
    object: 'model' as const,
    created: createdSeconds,
    owned_by: 'llama-native',
    aliases: [...aliases],
    state,
    meta:
      model === undefined
        ? null
        : {
            n_ctx: model.contextSize,
            n_ctx_train: model.metadata.trainedContextSize,
            n_embd: model.metadata.embeddingLength,
            n_params: model.metadata.parameterCount,
            n_vocab: model.metadata.vocabularySize,
            size: model.metadata.sizeBytes,
          },
  };
}

/** `GET /v1/models` and `GET /v1/models/:model`. */
export function openaiModelsRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/v1/models',
      { schema: { tags: ['OpenAI'], summary: 'The models', response: { 200: ModelList } } },
      async () => ({ object: 'list' as const, data: context.models.list().map(describe) }),
    );
    const schema = {
      tags: ['OpenAI'],
      summary: 'One model, by its name or an alias',
      response: { 200: ModelDescription },
    };
    app.get(
      '/v1/models/:model',
      { schema: { ...schema, params: Type.Object({ model: Type.String() }) } },
      async ({ params }) => describe(context.models.find(params.model)),
    );
    // A name may hold slashes, which not every client writes as %2F.
    app.get(
      '/v1/models/*',
      { schema: { ...schema, hide: true, params: Type.Object({ '*': Type.String() }) } },
      async ({ params }) => describe(context.models.find(params['*'])),
    );
  };
}

import { basename } from 'node:path';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { Model } from '../../index.js';
import type { ServerContext } from '../context.js';
import { RequestError } from '../failures.js';
import { defaultParams } from './default-params.js';

const model = Type.Optional(Type.String({ description: 'Name of the model. Default: the default model.' }));

const Params = Type.Record(Type.String(), Type.Unknown());

const PropertiesResponse = Type.Object({
  default_generation_settings: Type.Object({ n_ctx: Type.Integer(), params: Params }),
  total_slots: Type.Integer(),
  model_alias: Type.String(),
  model_path: Type.String({ description: "The file's name; its whole path for administrators." }),
  modalities: Type.Object({ vision: Type.Boolean(), video: Type.Boolean(), audio: Type.Boolean() }),
  endpoint_slots: Type.Boolean(),
  endpoint_props: Type.Boolean(),
  endpoint_metrics: Type.Boolean(),
  chat_template: Type.String(),
  bos_token: Type.String(),
  eos_token: Type.String(),
  build_info: Type.String(),
  is_sleeping: Type.Boolean(),
});

const Slot = Type.Object({
  id: Type.Integer(),
  n_ctx: Type.Integer(),
  speculative: Type.Boolean(),
  is_processing: Type.Boolean(),
});

async function textOf(model: Model, token: number | undefined): Promise<string> {
  return token === undefined ? '' : model.detokenize([token], { renderSpecial: true });
}

/** `/props` and `/slots`. */
export function propertyRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  const { settings, models, work } = context;
  const loadOptions = (name: string) => {
    const position = models.list().findIndex((served) => served.name === name);
    return { ...settings.load, ...settings.models[position]?.load };
  };
  const sequencesOf = (name: string) => loadOptions(name).sequences ?? 1;

  return async (app) => {
    app.get(
      '/props',
      {
        schema: {
          tags: ['llama.cpp'],
          summary: 'What the server and a model are set to; loads the model if it is not there',
          querystring: Type.Object({ model }),
          response: { 200: PropertiesResponse },
        },
      },
      async ({ query, scope, client }) =>
        work.run({ scope, client, kind: 'tokens', model: query.model }, async (place) => {
          const { metadata, contextSize, path } = place.model;
          const { beginOfSequence, endOfSequence, endOfTurn } = metadata.specialTokens;
          return {
            default_generation_settings: { n_ctx: contextSize, params: defaultParams },
            total_slots: sequencesOf(place.name),
            model_alias: place.name,
            model_path: client.isAdmin ? path : basename(path),
            modalities: { vision: false, video: false, audio: false },
            endpoint_slots: true,
            endpoint_props: false,
            endpoint_metrics: true,
            chat_template: loadOptions(place.name).chatTemplate ?? metadata.chatTemplate ?? '',
            bos_token: await textOf(place.model, beginOfSequence),
            eos_token: await textOf(place.model, endOfSequence ?? endOfTurn),
            build_info: 'llama-native',
            is_sleeping: false,
          };
        }),
    );

    app.get(
      '/slots',
      {
        schema: {
          tags: ['llama.cpp'],
          summary: 'How many of the sequences of a model are at work; never loads the model',
          querystring: Type.Object({ model, fail_on_no_slot: Type.Optional(Type.String()) }),
          response: { 200: Type.Array(Slot) },
        },
      },
      async ({ query }) => {
        const served = models.find(query.model);
        if (served.model === undefined) {
          const message = `The model ${served.name} is not loaded; it is ${served.state}. The first request loads it.`;
          throw new RequestError('overloaded', 'model_not_loaded', message, { retryAfterSeconds: 5 });
        }
        const { running } = await served.model.metrics();
        const total = sequencesOf(served.name);
        if (query.fail_on_no_slot !== undefined && running >= total) {
          const message = `All ${total} sequences of ${served.name} are at work. Try again later.`;
          throw new RequestError('overloaded', 'no_slot', message, { retryAfterSeconds: 1 });
        }
        const { contextSize } = served.model;
        const speculative = loadOptions(served.name).speculative !== undefined;
        return Array.from({ length: total }, (_, id) => ({
          id,
          n_ctx: contextSize,
          speculative,
          is_processing: id < running,
        }));
      },
    );
  };
}

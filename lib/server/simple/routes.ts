import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import type { Failure } from '../failures.js';
import { handleErrors } from '../http/error-handling.js';

/** Failures of the simple API, and of whatever belongs to no API. */
export function toSimpleError({ message, code, param }: Failure): object {
  return { error: message, code, ...(param !== undefined && { param }) };
}

const GenerateRequest = Type.Object({
  prompt: Type.String({ minLength: 1, description: 'The text to continue.' }),
  model: Type.Optional(Type.String({ description: 'Name of the model. Default: the default model.' })),
  max_tokens: Type.Optional(Type.Integer({ minimum: 1, default: 256 })),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
});

const GenerateResponse = Type.Object({
  generated_text: Type.String(),
  tokens_generated: Type.Integer(),
  tokens_per_second: Type.Number(),
  inference_time: Type.Number({ description: 'Seconds.' }),
  model: Type.String(),
});

const ModelsResponse = Type.Object({
  loaded_models: Type.Array(Type.String()),
  default_model: Type.Union([Type.String(), Type.Null()]),
});

/** `POST /generate`, `GET /models`: a prompt in, a text out. */
export function simpleRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    handleErrors(app, toSimpleError);

    app.post(
      '/generate',
      {
        schema: {
          tags: ['Simple'],
          summary: 'Continue a prompt',
          body: GenerateRequest,
          response: { 200: GenerateResponse },
        },
      },
      async (request) => {
        const { prompt, model, max_tokens: maxTokens = 256, temperature } = request.body;
        const { scope, client } = request;
        return context.work.run({ scope, client, kind: 'completion', model }, async (place) => {
          const result = await place.model.generate(prompt, {
            maxTokens,
            ...(temperature !== undefined && { temperature }),
            signal: place.signal,
          }).result;
          place.record(result);
          return {
            generated_text: result.text,
            tokens_generated: result.usage.completionTokens,
            tokens_per_second: result.timings.completionTokensPerSecond,
            inference_time: result.timings.totalMs / 1000,
            model: place.name,
          };
        });
      },
    );

    app.get(
      '/models',
      {
        schema: {
          tags: ['Simple'],
          summary: 'The models that are loaded',
          response: { 200: ModelsResponse },
        },
      },
      async () => ({
        loaded_models: context.models
          .list()
          .filter(({ state }) => state === 'ready')
          .map(({ name }) => name),
        default_model: context.models.defaultModel ?? null,
      }),
    );
  };
}

import { readFileSync } from 'node:fs';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import { handleErrors } from '../http/error-handling.js';
import { Nullable } from '../requests/nullable.js';
import { textGenerationStatus, toTextGenerationError } from './errors.js';
import { generate, generateStream } from './generate.js';
import { TextGenerationRequest } from './request.js';

const CompatibilityRequest = Type.Object({
  ...TextGenerationRequest.properties,
  stream: Nullable(Type.Boolean({ default: false })),
});

const InfoResponse = Type.Object({
  model_id: Type.String(),
  model_sha: Type.Null(),
  model_pipeline_tag: Type.String(),
  max_concurrent_requests: Type.Integer(),
  max_best_of: Type.Integer(),
  max_stop_sequences: Type.Integer(),
  max_input_tokens: Type.Integer(),
  max_total_tokens: Type.Integer(),
  validation_workers: Type.Integer(),
  max_client_batch_size: Type.Integer(),
  router: Type.String(),
  version: Type.String(),
});

function readVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

/**
 * What clients of Text Generation Inference ask for: `/generate_stream`, `/info`, `POST /`. Their `/generate` shares a
 * route with the simple API.
 */
export function textGenerationInferenceRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    handleErrors(app, toTextGenerationError, textGenerationStatus);
    const version = readVersion();
    const tags = ['Text Generation Inference'];

    app.post(
      '/generate_stream',
      { schema: { tags, summary: 'Continue a text, token by token', body: TextGenerationRequest } },
      async (request, reply) => generateStream({ context, request, reply, body: request.body }),
    );

    app.post(
      '/',
      { schema: { tags, summary: 'Continue a text, whole or token by token', body: CompatibilityRequest } },
      async (request, reply) => {
        const { body } = request;
        // Here, unlike in the other routes, the input comes back before the text unless the request says otherwise.
        const isFull = body.parameters?.return_full_text ?? true;
        const job = {
          context,
          request,
          body: { ...body, parameters: { ...body.parameters, return_full_text: isFull } },
        };
        if (body.stream !== true) return [await generate(job)];
        return generateStream({ ...job, reply });
      },
    );

    app.get(
      '/info',
      {
        schema: {
          tags,
          summary: 'What the default model and its limits are; loads the model if it is not there',
          response: { 200: InfoResponse },
        },
      },
      async ({ scope, client }) => {
        const { settings } = context;
        return context.work.run({ scope, client, kind: 'tokens', model: undefined }, async (place) => ({
          model_id: place.name,
          model_sha: null,
          model_pipeline_tag: 'text-generation',
          max_concurrent_requests: settings.queueLimit + (settings.load.sequences ?? 1),
          max_best_of: 1,
          max_stop_sequences: 64,
          max_input_tokens: place.model.contextSize - 1,
          max_total_tokens: place.model.contextSize,
          validation_workers: 1,
          max_client_batch_size: 1,
          router: 'llama-native',
          version,
        }));
      },
    );
  };
}

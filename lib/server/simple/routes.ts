import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ServerContext } from '../context.js';
import type { Failure } from '../failures.js';
import { handleErrors } from '../http/error-handling.js';
import { TextGenerationResponse } from '../text-generation-inference/answer.js';
import { textGenerationStatus, toTextGenerationError } from '../text-generation-inference/errors.js';
import { generate } from '../text-generation-inference/generate.js';
import { TextGenerationRequest } from '../text-generation-inference/request.js';

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

/** Requests of Text Generation Inference say `inputs` where those of the simple API say `prompt`. */
function isTextGeneration(body: unknown): body is TextGenerationRequest {
  return typeof body === 'object' && body !== null && 'inputs' in body;
}

const simpleRequest = Compile(GenerateRequest);
const textGenerationRequest = Compile(TextGenerationRequest);

/** Checks a body against the API that it belongs to, so that a mistake is told in the words of that one. */
function checkBody(body: unknown) {
  const error = (isTextGeneration(body) ? textGenerationRequest : simpleRequest).Errors(body);
  return error.length === 0 ? { value: body } : { error: error as never };
}

async function continuePrompt(
  context: ServerContext,
  { scope, client }: FastifyRequest,
  body: Static<typeof GenerateRequest>,
): Promise<Static<typeof GenerateResponse>> {
  const { prompt, model, max_tokens: maxTokens = 256, temperature } = body;
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
}

/** `POST /generate`, which it shares with Text Generation Inference, and `GET /models`: a prompt in, a text out. */
export function simpleRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    handleErrors(
      app,
      (failure, { body }) =>
        isTextGeneration(body) ? toTextGenerationError(failure) : toSimpleError(failure),
      (failure, { body }) => (isTextGeneration(body) ? textGenerationStatus(failure) : failure.status),
    );

    app.post(
      '/generate',
      {
        schema: {
          tags: ['Simple', 'Text Generation Inference'],
          summary: 'Continue a prompt',
          description: 'With `prompt`, as the simple API; with `inputs`, as Text Generation Inference.',
          body: Type.Union([GenerateRequest, TextGenerationRequest]),
          response: { 200: Type.Union([GenerateResponse, TextGenerationResponse]) },
        },
        validatorCompiler: () => checkBody,
      },
      async (request) => {
        const { body } = request;
        if (isTextGeneration(body)) return generate({ context, request, body });
        return continuePrompt(context, request, body);
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

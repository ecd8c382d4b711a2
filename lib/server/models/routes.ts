import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import { RequestError } from '../failures.js';
import { handleErrors, reportFailure } from '../http/error-handling.js';
import { EventStream } from '../http/event-stream.js';
import { toSimpleError } from '../simple/routes.js';
import { describeModel, ModelDescription } from './describe-model.js';
import { loadFailure } from './load-failures.js';
import { findOrAdd, LoadRequest, UnloadRequest } from './load-request.js';
import { ModelFeed } from './model-feed.js';
import type { ServedModel } from './types.js';
import { waitFor } from './wait.js';

const config = { access: 'admin' } as const;
const tags = ['Models'];

/** Loads a model; one that was added for it and cannot be loaded is not kept. */
async function load(
  { models }: ServerContext,
  served: ServedModel,
  isNew: boolean,
  signal: AbortSignal,
): Promise<void> {
  const loading = models.load(served.name);
  if (isNew) {
    loading.catch((error: unknown) => {
      const wasUnloaded = error instanceof RequestError && error.code === 'model_unloaded';
      if (!wasUnloaded) models.remove(served.name).catch(() => {}); // somebody else has removed it already
    });
  }
  try {
    await waitFor(loading, signal); // who asked may go away, and others wait for the model too
  } catch (error) {
    throw signal.aborted ? signal.reason : loadFailure(error);
  }
}

/** Fires when any of the signals does. What `AbortSignal.any` makes stays with signals that live long. */
function anyOf(signals: readonly AbortSignal[]): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const end = () => {
    for (const signal of signals) signal.removeEventListener('abort', end);
    controller.abort();
  };
  for (const signal of signals) signal.addEventListener('abort', end, { once: true });
  if (signals.some(({ aborted }) => aborted)) end();
  return { signal: controller.signal, end };
}

/** Answers with the progress of a load as events; the last one says how it ended. */
async function streamLoad(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { served, isNew }: { served: ServedModel; isNew: boolean },
): Promise<void> {
  const { models, settings } = context;
  const stream = EventStream.open(request, reply, settings);
  const until = anyOf([request.scope.signal]);
  const telling = new ModelFeed(models, stream, { only: served, signal: until.signal }).run();
  try {
    await load(context, served, isNew, request.scope.signal);
  } catch (error) {
    await stream.send(JSON.stringify(toSimpleError(reportFailure(request, error))), 'error');
  } finally {
    until.end();
    await telling;
    stream.end();
  }
}

/** Tells what happens to models for as long as somebody listens. */
async function streamEvents(
  { models, settings, work }: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  request.scope.end(); // it takes as long as the client likes
  const stream = EventStream.open(request, reply, settings);
  const until = anyOf([request.scope.signal, work.closing]);
  await new ModelFeed(models, stream, { signal: until.signal }).run();
  stream.end();
}

/** Loading and unloading of models, and what happens to them as events. */
export function modelRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  const { models } = context;
  return async (app) => {
    handleErrors(app, toSimpleError);

    app.post(
      '/models/load',
      {
        config,
        schema: {
          tags,
          summary: 'Load a model',
          description:
            'With `stream`, the answer is made of events: `model` with the progress, at last `error` if it failed.',
          body: LoadRequest,
          response: { 200: ModelDescription },
        },
      },
      async (request, reply) => {
        const wanted = findOrAdd(context, request.body);
        if (request.body.stream === true) {
          await streamLoad(context, request, reply, wanted);
          return reply;
        }
        await load(context, wanted.served, wanted.isNew, request.scope.signal);
        return describeModel(wanted.served);
      },
    );

    app.post(
      '/models/unload',
      {
        config,
        schema: {
          tags,
          summary: 'Give the memory of a model back when its requests have ended',
          body: UnloadRequest,
          response: { 200: ModelDescription },
        },
      },
      async ({ body, scope }) => describeModel(await waitFor(models.unload(body.model), scope.signal)),
    );

    app.delete(
      '/models/:name',
      {
        config,
        schema: {
          tags,
          summary: 'Remove a model that was added while the server runs',
          params: Type.Object({ name: Type.String() }),
          response: { 204: Type.Null() },
        },
      },
      async ({ params, scope }, reply) => {
        await waitFor(models.remove(params.name), scope.signal);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/models/events',
      {
        config,
        schema: {
          tags,
          summary: 'What happens to models, as events',
          description:
            '`model` with the state of each model at first and with each change; `removed` with a name.',
          produces: ['text/event-stream'],
        },
      },
      async (request, reply) => {
        await streamEvents(context, request, reply);
        return reply;
      },
    );
  };
}

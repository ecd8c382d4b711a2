import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import { addEngineGauges } from './engine-gauges.js';
import { Measures } from './measures.js';
import { startTraces } from './traces.js';

const Health = Type.Object({
  status: Type.Literal('ok'),
  uptime_seconds: Type.Number(),
  requests_in_flight: Type.Integer(),
});

const Readiness = Type.Object({
  status: Type.Union([
    Type.Literal('ready'),
    Type.Literal('loading'),
    Type.Literal('failed'),
    Type.Literal('closing'),
  ]),
  models: Type.Record(
    Type.String(),
    Type.String({ description: 'State of a model that is to be there from the start.' }),
  ),
});

/** Whether the models that are to be there from the start are there. A model that was unloaded since can be had again. */
function readiness({ models, settings, work }: ServerContext) {
  const served = models.list();
  const states = served
    .filter((_, index) => settings.models[index]?.preload === true)
    .map(({ name, state, lastUsedMs }) => [
      name,
      state === 'unloaded' && lastUsedMs !== undefined ? 'ready' : state,
    ]);
  const isFailed = states.some(([, state]) => state === 'failed');
  const isReady = states.every(([, state]) => state === 'ready');
  const status = work.closing.aborted ? 'closing' : isReady ? 'ready' : isFailed ? 'failed' : 'loading';
  return { status, models: Object.fromEntries(states) as Record<string, string> } as const;
}

/** `/health`, `/ready`, `/metrics`: what operates the server looks at. */
export function operationRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  const { registry } = new Measures(context.work);
  const readEngines = addEngineGauges(registry, context.models);
  return async (app) => {
    const traces = await startTraces(context.work, app.log);
    if (traces !== undefined) app.addHook('onClose', () => traces.close());

    app.get(
      '/health',
      {
        config: { access: 'public' },
        schema: { tags: ['Operation'], summary: 'The server lives', response: { 200: Health } },
      },
      async () => ({
        status: 'ok' as const,
        uptime_seconds: (Date.now() - context.startedMs) / 1000,
        requests_in_flight: context.work.inFlight,
      }),
    );

    app.get(
      '/ready',
      {
        config: { access: 'public' },
        schema: {
          tags: ['Operation'],
          summary: 'The models that are to be there from the start are loaded',
          response: { 200: Readiness, 503: Readiness },
        },
      },
      async (_request, reply) => {
        const state = readiness(context);
        return reply.code(state.status === 'ready' ? 200 : 503).send(state);
      },
    );

    app.get(
      '/metrics',
      {
        config: { access: 'admin' },
        schema: {
          tags: ['Operation'],
          summary: 'What the server counts, for Prometheus',
          produces: ['text/plain'],
        },
      },
      async (_request, reply) => {
        await readEngines();
        return reply.type(registry.contentType).send(await registry.metrics());
      },
    );
  };
}

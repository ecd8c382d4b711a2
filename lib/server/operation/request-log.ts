import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { ServerContext } from '../context.js';
import type { WorkRequest, WorkResult } from '../workload/work.js';

/** Writes one line for each request when it is over: who asked for what, and how it went. Nothing of any prompt. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', (request, reply, done) => {
    if (request.routeOptions.config.access !== 'public' || reply.statusCode >= 400) {
      request.log.info(
        {
          method: request.method,
          // The query may carry what is nobody's business.
          path: request.url.split('?', 1)[0],
          status: reply.statusCode,
          durationMs: Math.round(reply.elapsedTime * 10) / 10,
          client: request.client?.name,
        },
        'request',
      );
    }
    done();
  });
}

function describeResult({ scope }: WorkRequest, model: string, { usage, timings }: WorkResult): object {
  return {
    reqId: scope.id,
    model,
    promptTokens: usage.promptTokens,
    cachedTokens: usage.cachedTokens,
    completionTokens: usage.completionTokens,
    queueMs: Math.round(timings.queueMs),
    firstTokenMs: Math.round(timings.timeToFirstTokenMs),
    tokensPerSecond: Math.round(timings.completionTokensPerSecond * 10) / 10,
  };
}

/** Writes a line for each answer, and for what happens to models. */
export function logWork(log: FastifyBaseLogger, { work, models, settings }: ServerContext): void {
  work.on('result', (request, model, result) => {
    const answer = settings.logPrompts ? { answer: result } : {};
    log.info({ ...describeResult(request, model, result), ...answer }, 'answer');
  });
  models.on('change', ({ name, state, error, progress }) => {
    if (progress !== undefined) return;
    if (error === undefined) log.info({ model: name, state }, 'model');
    else log.error({ model: name, state, error }, 'model');
  });
}

/** Writes what was asked, word for word; only where the settings say so. */
export function logPrompts(app: FastifyInstance): void {
  app.addHook('preHandler', async (request) => {
    if (request.body !== undefined) request.log.info({ body: request.body }, 'prompt');
  });
}

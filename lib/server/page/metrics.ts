import { freemem, totalmem } from 'node:os';
import Type from 'typebox';
import type { ServerContext } from '../context.js';
import type { ServedModel } from '../models/types.js';

const Nullable = <Schema extends Type.TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

const PageModel = Type.Object({
  name: Type.String(),
  state: Type.Enum(['unloaded', 'loading', 'ready', 'unloading', 'failed']),
  inFlight: Type.Integer({ description: 'Requests that use the model.' }),
  progress: Nullable(Type.Number({ description: '0 to 1 while the model is loading.' })),
  error: Nullable(Type.String({ description: 'Why it could not be loaded, if the last attempt failed.' })),
  figures: Nullable(
    Type.Object(
      {
        waiting: Type.Integer({ description: 'Generations that wait for a sequence.' }),
        running: Type.Integer({ description: 'Generations that run.' }),
        contextSize: Type.Integer({ description: 'Tokens that the KV cache holds in all.' }),
        residentTokens: Type.Integer({ description: 'Tokens that it holds now.' }),
        promptTokens: Type.Integer({ description: 'Of finished generations.' }),
        cachedTokens: Type.Integer({ description: 'Those of them that came from the KV cache.' }),
        completionTokens: Type.Integer({ description: 'Made by finished generations.' }),
        evaluatedTokens: Type.Integer({ description: 'Of prompts and answers, running ones included.' }),
        batchFill: Type.Number({ description: 'Tokens in a batch over its size, on average.' }),
        memoryBytes: Nullable(
          Type.Number({ description: "Of the model's own process; null if it has none." }),
        ),
        prefixCacheBytes: Type.Number({ description: 'Prefixes in memory outside of the KV cache.' }),
        restarts: Type.Integer({ description: 'How often its process had to be started again.' }),
      },
      { description: 'Of a model that is ready.' },
    ),
  ),
});

/** How the server is doing, for the page's dashboard. Sizes in bytes. */
export const PageMetrics = Type.Object({
  timeMs: Type.Number({ description: 'Now, in milliseconds since 1970.' }),
  upSeconds: Type.Number(),
  inFlight: Type.Integer({ description: 'Requests that run or wait.' }),
  memoryBytes: Type.Number({ description: "Resident memory of the server's own process." }),
  machine: Type.Object({ totalBytes: Type.Number(), freeBytes: Type.Number() }),
  models: Type.Array(PageModel),
});

type Figures = NonNullable<Type.Static<typeof PageModel>['figures']>;

async function readFigures({ model }: ServedModel): Promise<Figures | null> {
  // One that is being closed or whose process has just ended has no figures for now.
  const metrics = await model?.metrics().catch(() => undefined);
  if (metrics === undefined) return null;
  const { waiting, running, contextSize, residentTokens, promptTokens, cachedTokens } = metrics;
  const { completionTokens, evaluatedTokens, batchFill, engineProcess, prefixCache } = metrics;
  return {
    ...{ waiting, running, contextSize, residentTokens, promptTokens, cachedTokens },
    ...{ completionTokens, evaluatedTokens, batchFill },
    memoryBytes: engineProcess?.memoryBytes ?? null,
    prefixCacheBytes: prefixCache.memoryBytes,
    restarts: engineProcess?.restarts ?? 0,
  };
}

async function readModel(served: ServedModel): Promise<Type.Static<typeof PageModel>> {
  const { name, state, inFlight, progress, error } = served;
  return {
    name,
    state,
    inFlight,
    progress: progress?.stage === 'load' ? progress.fraction : null,
    error: error ?? null,
    figures: await readFigures(served),
  };
}

/** Reads how the server is doing. */
export async function readPageMetrics(context: ServerContext): Promise<Type.Static<typeof PageMetrics>> {
  const now = Date.now();
  return {
    timeMs: now,
    upSeconds: (now - context.startedMs) / 1000,
    inFlight: context.work.inFlight,
    memoryBytes: process.memoryUsage.rss(),
    machine: { totalBytes: totalmem(), freeBytes: freemem() },
    models: await Promise.all(context.models.list().map(readModel)),
  };
}

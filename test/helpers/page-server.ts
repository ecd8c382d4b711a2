import Fastify, { type FastifyReply } from 'fastify';
import { onTestFinished } from 'vitest';
import type { ServerContext } from '../../lib/server/context.js';
import { pageRoutes } from '../../lib/server/page/routes.js';
import { toServerSettings } from '../../lib/server/settings.js';

/** A piece of an answer: text, or what the model thinks before it. */
export type AnswerPiece = string | { readonly reasoning: string };

/** What the scripted API does with a question. */
export interface AnswerScript {
  readonly pieces?: readonly AnswerPiece[];
  /** Between the pieces. Default 5. */
  readonly pauseMs?: number;
  readonly finishReason?: 'stop' | 'length';
  /** Refuses the request. */
  readonly refuse?: {
    readonly status: number;
    readonly message: string;
    readonly code: string;
    readonly retryAfter?: number;
  };
  /** Breaks the connection after the pieces. */
  readonly breaks?: boolean;
  /** Tells of a failure after the pieces. */
  readonly fails?: string;
}

/** A question as the page asks it. */
export interface AskedQuestion {
  readonly model?: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly [field: string]: unknown;
}

/** The page on a server whose answers are scripted. */
export interface PageServer {
  readonly url: string;
  /** What was asked, oldest first. */
  readonly asked: AskedQuestion[];
  /** Requests that the page gave up before their end. */
  readonly cancelled: AskedQuestion[];
  /** Decides what is answered; may be replaced in the middle of a test. */
  script: (question: AskedQuestion) => AnswerScript;
  close(): Promise<void>;
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function chunk(choice: object): string {
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'scripted-model' };
  return `data: ${JSON.stringify({ ...head, choices: [{ index: 0, finish_reason: null, delta: {}, ...choice }] })}\n\n`;
}

async function stream(reply: FastifyReply, script: AnswerScript): Promise<void> {
  const { raw } = reply.hijack();
  const { pieces = [], pauseMs = 5 } = script;
  raw.writeHead(200, { 'content-type': 'text/event-stream' });
  raw.write(chunk({ delta: { role: 'assistant', content: '' } }));
  for (const piece of pieces) {
    if (raw.destroyed) return;
    raw.write(
      chunk({
        delta: typeof piece === 'string' ? { content: piece } : { reasoning_content: piece.reasoning },
      }),
    );
    await sleep(pauseMs);
  }
  if (script.breaks) {
    raw.destroy();
    return;
  }
  if (script.fails !== undefined) {
    raw.end(`data: ${JSON.stringify({ error: { message: script.fails, code: 'engine_crashed' } })}\n\n`);
    return;
  }
  raw.write(chunk({ finish_reason: script.finishReason ?? 'stop' }));
  const usage = {
    prompt_tokens: 24,
    completion_tokens: pieces.length,
    total_tokens: 24 + pieces.length,
    prompt_tokens_details: { cached_tokens: 12 },
  };
  raw.end(
    `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [], usage })}\n\ndata: [DONE]\n\n`,
  );
}

/** Options of {@link startPageServer}. */
export interface PageServerOptions {
  /** Names of the models. */
  readonly models?: readonly string[];
  /** A key that requests have to show. */
  readonly key?: string;
  readonly port?: number;
}

/**
 * Serves the page as the server does, beside a scripted stand-in for its API: what a model says cannot be chosen, and
 * how the page takes it has to be.
 */
export async function startPageServer(options: PageServerOptions = {}): Promise<PageServer> {
  const app = Fastify();
  const { models = ['scripted-model', 'another-model'], key } = options;
  const server: PageServer = {
    url: '',
    asked: [],
    cancelled: [],
    script: () => ({ pieces: ['Hello', ' there', '.'] }),
    close: () => app.close(),
  };
  app.addHook('onRequest', async (request, reply) => {
    const isPublic = request.routeOptions.config.access === 'public';
    if (key === undefined || isPublic || request.headers.authorization === `Bearer ${key}`) return;
    return reply.code(401).send({ error: { message: 'The key is wrong.', code: 'invalid_api_key' } });
  });
  app.get('/v1/models', async () => ({
    object: 'list',
    data: models.map((id) => ({ id, object: 'model' })),
  }));
  app.post<{ Body: AskedQuestion }>('/v1/chat/completions', async (request, reply) => {
    server.asked.push(request.body);
    const script = server.script(request.body);
    const { refuse } = script;
    if (refuse !== undefined) {
      if (refuse.retryAfter !== undefined) reply.header('retry-after', refuse.retryAfter);
      return reply.code(refuse.status).send({ error: { message: refuse.message, code: refuse.code } });
    }
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished && !script.breaks) server.cancelled.push(request.body);
    });
    return stream(reply, script);
  });
  await app.register(pageRoutes(scriptedContext(models)));
  const url = await app.listen({ port: options.port ?? 0, host: '127.0.0.1' });
  return Object.assign(server, { url });
}

/** As {@link startPageServer}, closed when the test that calls it has ended. */
export async function startPageServerForTest(options: PageServerOptions = {}): Promise<PageServer> {
  const server = await startPageServer(options);
  onTestFinished(() => server.close());
  return server;
}

const gibibyte = 1024 ** 3;

/** Figures that rise and fall, so that the charts have something to draw. */
function scriptedFigures(): object {
  const seconds = Date.now() / 1000;
  return {
    waiting: Math.max(0, Math.round(3 * Math.sin(seconds / 7))),
    running: 2 + Math.round(2 * Math.sin(seconds / 5)),
    contextSize: 8192,
    residentTokens: 3000 + Math.round(1500 * Math.sin(seconds / 11)),
    promptTokens: 5000,
    cachedTokens: 3100,
    completionTokens: 9120,
    evaluatedTokens: Math.round(seconds * 180 + 400 * Math.sin(seconds / 3)) % 1e9,
    batchFill: 0.31,
    engineProcess: { processId: 1, memoryBytes: 1.4 * gibibyte, restarts: 0 },
    prefixCache: { memoryBytes: 0.2 * gibibyte },
  };
}

function scriptedContext(names: readonly string[]): ServerContext {
  const served = names.map((name, index) => ({
    name,
    state: index === 0 ? 'ready' : 'unloaded',
    inFlight: index === 0 ? 3 : 0,
    progress: undefined,
    error: undefined,
    model: index === 0 ? { metrics: async () => scriptedFigures() } : undefined,
  }));
  return {
    settings: toServerSettings({ models: [] }),
    startedMs: Date.now() - 4_000_000,
    work: { inFlight: 3 },
    models: { list: () => served },
  } as unknown as ServerContext;
}

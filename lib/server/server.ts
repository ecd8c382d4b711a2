import { randomUUID } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { createError, LlamaNativeError } from '../errors.js';
import { anthropicRoutes } from './anthropic/routes.js';
import type { ServerContext } from './context.js';
import { type GrpcService, startGrpc } from './grpc/service.js';
import { addDocs } from './http/docs.js';
import { handleErrors, handleUnknownRoutes } from './http/error-handling.js';
import { addRequestScopes } from './http/request-scopes.js';
import { llamaCppRoutes } from './llama-cpp/routes.js';
import { ModelPool } from './models/model-pool.js';
import { modelRoutes } from './models/routes.js';
import { responsesRoutes } from './openai/responses-routes.js';
import { openaiRoutes } from './openai/routes.js';
import { logPrompts, logRequests, logWork } from './operation/request-log.js';
import { operationRoutes } from './operation/routes.js';
import { type ServerOptions, type ServerSettings, toServerSettings } from './options.js';
import { pageRoutes } from './page/routes.js';
import { Clients } from './security/clients.js';
import { addSecurity } from './security/security.js';
import { removeStaleSocket } from './security/unix-socket.js';
import { simpleRoutes, toSimpleError } from './simple/routes.js';
import { textGenerationInferenceRoutes } from './text-generation-inference/routes.js';
import { addWebsockets } from './websocket/plugin.js';
import { websocketRoutes } from './websocket/routes.js';
import { Work } from './work/work.js';

/** Fastify's own part of the settings. */
function createApp(settings: ServerSettings): FastifyInstance {
  const { log, tls } = settings;
  const app = Fastify({
    ...(typeof log === 'object'
      ? { loggerInstance: log }
      : { logger: log === false ? false : { level: log === true ? 'info' : log } }),
    ...(tls !== undefined && { https: { key: tls.key, cert: tls.certificate } }),
    genReqId: () => randomUUID(),
    bodyLimit: settings.bodyLimitBytes,
    logController: new LogController({ disableRequestLogging: true }), // the operation room writes one line a request
    forceCloseConnections: 'idle',
    // Closing counts as well, and may take as long as running requests are given.
    pluginTimeout: settings.shutdownTimeoutMs + 10_000,
    // A value of the wrong type is told of instead of being bent; unknown fields are left alone, as OpenAI's clients
    // send what not every server knows.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allowUnionTypes: true } },
  }) as FastifyInstance;
  app.decorateRequest('client', undefined as never);
  app.decorateRequest('scope', undefined as never);
  return app;
}

async function assemble(context: ServerContext): Promise<FastifyInstance> {
  const { settings } = context;
  const app = createApp(settings);
  addRequestScopes(app, settings.requestTimeoutMs);
  await addWebsockets(app, settings);
  await addSecurity(app, settings, context.clients);
  handleErrors(app, toSimpleError);
  handleUnknownRoutes(app, toSimpleError);
  logRequests(app);
  logWork(app.log, context);
  if (settings.logPrompts) logPrompts(app);
  if (settings.docs) await addDocs(app);
  for (const routes of [
    openaiRoutes,
    responsesRoutes,
    anthropicRoutes,
    simpleRoutes,
    textGenerationInferenceRoutes,
    llamaCppRoutes,
    websocketRoutes,
    modelRoutes,
    operationRoutes,
    pageRoutes,
  ]) {
    await app.register(routes(context));
  }
  return app;
}

/** Where a server can be reached. */
export interface ServerAddress {
  /** Such as `http://127.0.0.1:8080`; of a unix socket, its path. */
  readonly url: string;
  /** Port of gRPC, if the server speaks it. */
  readonly grpcPort: number | undefined;
}

/**
 * Models as a service. Made by {@link createServer}.
 *
 * @example
 * ```ts
 * const server = await createServer({ models: ['model.gguf'], port: 0 });
 * const { url } = await server.listen();
 * const { status } = await fetch(`${url}/v1/models`);
 * await server.close();
 * ```
 */
export class Server {
  /** The models, which may be watched, loaded and unloaded. */
  readonly models: ModelPool;
  readonly #context: ServerContext;
  readonly #app: FastifyInstance;
  #grpc: GrpcService | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(context: ServerContext, app: FastifyInstance) {
    this.models = context.models;
    this.#context = context;
    this.#app = app;
  }

  /**
   * Listens, and begins to load the models that are to be there from the start.
   * @throws LlamaNativeError SERVER_START_FAILED if the address is taken or not allowed.
   */
  async listen(): Promise<ServerAddress> {
    const { host, port, unixSocket, models } = this.#context.settings;
    try {
      if (unixSocket !== undefined) await removeStaleSocket(unixSocket);
      const url = await this.#app.listen(unixSocket === undefined ? { host, port } : { path: unixSocket });
      // Other users of the machine would reach it like a port, and no key is asked for by default.
      if (unixSocket !== undefined) await chmod(unixSocket, 0o600);
      const served = this.models.list();
      models.forEach(({ preload }, index) => {
        const name = served[index]?.name;
        if (preload === true && name !== undefined) this.models.load(name).catch(() => {}); // its state says so
      });
      this.#grpc = await startGrpc(this.#context);
      return { url, grpcPort: this.#grpc?.port };
    } catch (error) {
      await this.close().catch(() => {}); // what has begun to listen, where the rest cannot
      throw startFailure(error, unixSocket ?? `${host}:${port}`);
    }
  }

  /** Lets nobody in any more, waits for what runs as long as `shutdownTimeoutMs` allows, and unloads all models. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([this.#app.close(), this.#grpc?.close()]);
    await this.models.close();
  }
}

function startFailure(error: unknown, address: string): Error {
  if (LlamaNativeError.isInstance(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reasons: Record<string, string> = {
    EADDRINUSE: 'another program uses it. Choose another port (`port`, on the command line --port)',
    EACCES: 'this user may not. Choose a port of 1024 or above',
    EADDRNOTAVAIL: 'this machine has no such address. Check `host`',
    ENOTFOUND: 'this machine has no such address. Check `host`',
  };
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  return createError('SERVER_START_FAILED', `The server cannot listen on ${address}: ${reason}.`, {
    cause: error,
  });
}

/**
 * Makes a server for models; `listen()` starts it.
 * @throws InvalidArgumentError for a bad option.
 *
 * @example
 * ```ts
 * import { createServer } from 'llama-native/server';
 *
 * await using server = await createServer({ models: ['hf:Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M'], port: 8080 });
 * console.log((await server.listen()).url);
 * ```
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const settings = toServerSettings(options);
  const models = new ModelPool(settings);
  const sequences = settings.load.sequences ?? 8;
  const work = new Work(models, {
    requestsPerModel: settings.queueLimit + sequences,
    requestsPerClient: settings.requestsPerKey,
  });
  const context: ServerContext = {
    settings,
    clients: new Clients(settings.apiKeys),
    models,
    work,
    startedMs: Date.now(),
  };
  return new Server(context, await assemble(context));
}

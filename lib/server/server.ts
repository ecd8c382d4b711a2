import { chmod } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { createError, LlamaNativeError } from '../errors.js';
import { anthropicRoutes } from './anthropic/routes.js';
import type { ServerContext } from './context.js';
import { type GrpcService, startGrpc } from './grpc/service.js';
import { createApp } from './http/app.js';
import type { Connections } from './http/connections.js';
import { addDocs } from './http/docs.js';
import { handleErrors, handleUnknownRoutes } from './http/error-handling.js';
import { llamaCppRoutes } from './llama-cpp/routes.js';
import { ModelPool } from './models/model-pool.js';
import { modelRoutes } from './models/routes.js';
import { responsesRoutes } from './openai/responses-routes.js';
import { openaiRoutes } from './openai/routes.js';
import { logPrompts, logRequests, logWork } from './operation/request-log.js';
import { operationRoutes } from './operation/routes.js';
import type { ServerOptions } from './options.js';
import { pageRoutes } from './page/routes.js';
import { Clients } from './security/clients.js';
import { addSecurity } from './security/security.js';
import { removeStaleSocket } from './security/unix-socket.js';
import { toServerSettings } from './settings.js';
import { simpleRoutes, toSimpleError } from './simple/routes.js';
import { textGenerationInferenceRoutes } from './text-generation-inference/routes.js';
import { addWebsockets } from './websocket/plugin.js';
import { websocketRoutes } from './websocket/routes.js';
import { Work } from './workload/work.js';

async function assemble(context: ServerContext): Promise<{ app: FastifyInstance; connections: Connections }> {
  const { settings } = context;
  const { app, connections } = createApp(settings);
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
  return { app, connections };
}

/** Connections that the system holds ready while this process is busy; it resets what comes beyond them. */
const mostWaitingConnections = 4096;

/** How long the last answers may take to leave this machine, when nothing is computed any more. */
const lastBytesMs = 2000;

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
 * import { createServer } from 'llama-native/server';
 *
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
  readonly #connections: Connections;
  #grpc: GrpcService | undefined;
  #listening: Promise<ServerAddress> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    context: ServerContext,
    { app, connections }: { app: FastifyInstance; connections: Connections },
  ) {
    this.models = context.models;
    this.#context = context;
    this.#app = app;
    this.#connections = connections;
  }

  /**
   * Listens, and begins to load the models that are to be there from the start. A server that cannot is closed.
   * @throws LlamaNativeError SERVER_START_FAILED if the address is taken or not allowed.
   */
  listen(): Promise<ServerAddress> {
    if (this.#listening === undefined) {
      this.#listening = this.#listen();
      this.#listening.catch(() => this.close());
    }
    return this.#listening;
  }

  /**
   * Lets nobody in any more, and waits for what runs as long as `shutdownTimeoutMs` allows; what runs longer is ended,
   * and streams say so in their last event. Then all models are unloaded. Closing twice waits for the same end.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<ServerAddress> {
    const { host, port, unixSocket } = this.#context.settings;
    try {
      if (unixSocket !== undefined) await removeStaleSocket(unixSocket);
      const url = await this.#app.listen({
        ...(unixSocket === undefined ? { host, port } : { path: unixSocket }),
        backlog: mostWaitingConnections,
      });
      // Other users of the machine would reach it like a port, and no key is asked for by default.
      if (unixSocket !== undefined) await chmod(unixSocket, 0o600);
      void this.models.preload();
      this.#grpc = await startGrpc(this.#context);
      return { url, grpcPort: this.#grpc?.port };
    } catch (error) {
      throw startFailure(error, unixSocket ?? `${host}:${port}`);
    }
  }

  async #close(): Promise<void> {
    const { shutdownTimeoutMs } = this.#context.settings;
    await this.#listening?.catch(() => {}); // whoever called it hears of it
    this.#connections.stopListening();
    await Promise.all([this.#context.work.close(shutdownTimeoutMs), this.#grpc?.close()]);
    await this.#connections.close(lastBytesMs);
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
 * const server = await createServer({ models: ['hf:Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M'], port: 0 });
 * console.log((await server.listen()).url);
 * await server.close();
 * ```
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const settings = toServerSettings(options);
  const models = new ModelPool(settings);
  const work = new Work(models, {
    requestsPerModel: (name) => settings.queueLimit + models.find(name).sequences,
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

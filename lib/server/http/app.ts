import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { ServerSettings } from '../settings.js';
import { endUnreadable } from './client-errors.js';
import { Connections } from './connections.js';
import { addJsonParser } from './json-body.js';
import { addRequestScopes } from './request-scopes.js';

/** The headers of a request are small, and whoever sends them a byte at a time wants something else than an answer. */
const longestHeadersMs = 30_000;
const longestLookMs = 5000;

/** How long Node.js waits for what clients send. */
function receiveLimits({ receiveTimeoutMs }: ServerSettings) {
  return {
    headersTimeout: Math.min(longestHeadersMs, receiveTimeoutMs),
    requestTimeout: receiveTimeoutMs,
    // How often it looks for those who are late.
    connectionsCheckingInterval: Math.min(longestLookMs, Math.max(50, Math.ceil(receiveTimeoutMs / 4))),
  };
}

/** An HTTP server without routes: its limits, and what each request is given. */
export function createApp(settings: ServerSettings): { app: FastifyInstance; connections: Connections } {
  const { log, tls } = settings;
  const limits = receiveLimits(settings);
  const app = Fastify({
    ...(typeof log === 'object'
      ? { loggerInstance: log }
      : { logger: log === false ? false : { level: log === true ? 'info' : log } }),
    ...(tls === undefined ? { http: limits } : { https: { ...limits, key: tls.key, cert: tls.certificate } }),
    requestTimeout: limits.requestTimeout,
    genReqId: () => randomUUID(),
    bodyLimit: settings.bodyLimitBytes,
    routerOptions: { maxParamLength: 500 }, // names of models
    logController: new LogController({ disableRequestLogging: true }), // the operation room writes one line a request
    forceCloseConnections: 'idle',
    clientErrorHandler: (error, socket) => endUnreadable(error, socket, connections.isAnswering(socket)),
    // A value of the wrong type is told of instead of being bent; unknown fields are left alone, as OpenAI's clients
    // send what not every server knows.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allowUnionTypes: true } },
  }) as FastifyInstance;
  app.decorateRequest('client', undefined as never);
  app.decorateRequest('scope', undefined as never);
  const connections = new Connections(app, settings.slowReaderTimeoutMs);
  addRequestScopes(app, settings.requestTimeoutMs);
  addJsonParser(app);
  return { app, connections };
}

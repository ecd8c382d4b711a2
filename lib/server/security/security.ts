import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestError } from '../failures.js';
import { anonymous, type RouteAccess } from '../http/fastify-types.js';
import type { ServerSettings } from '../settings.js';
import { type Clients, keyOf } from './clients.js';
import { allowedHostNames, hostNameOf, originAllowed } from './hosts.js';

function accessOf(request: FastifyRequest): RouteAccess {
  return request.routeOptions.config.access ?? 'client';
}

function checkHosts(app: FastifyInstance, settings: ServerSettings): void {
  const isAllowed = allowedHostNames(settings);
  if (isAllowed === undefined) return;
  app.addHook('onRequest', async ({ headers }) => {
    if (headers.host === undefined) return; // HTTP/1.0, which no browser speaks
    const name = hostNameOf(headers.host);
    if (isAllowed(name)) return;
    const message = `This server does not answer to the name ${JSON.stringify(name)}. Allow it with \`allowedHosts\` (--allowed-host).`;
    throw new RequestError('forbidden', 'host_not_allowed', message);
  });
}

/** Browsers send the answer to foreign pages only with CORS; that does not keep these pages from asking. */
function checkOrigins(app: FastifyInstance, { allowedOrigins }: ServerSettings): void {
  app.addHook('onRequest', async ({ headers: { origin, host } }) => {
    if (origin === undefined || originAllowed(origin, host, allowedOrigins)) return;
    const message = `Pages of ${origin} may not ask this server. Allow them with \`allowedOrigins\` (--allowed-origin).`;
    throw new RequestError('forbidden', 'origin_not_allowed', message);
  });
}

function checkKeys(app: FastifyInstance, clients: Clients): void {
  app.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request);
    const client = clients.find(keyOf(request.headers));
    if (client === undefined && access !== 'public') {
      reply.header('www-authenticate', 'Bearer');
      const message = 'This server wants a key, as in `Authorization: Bearer …`; none of its keys was shown.';
      throw new RequestError('unauthenticated', 'invalid_api_key', message);
    }
    request.client = client ?? { ...anonymous, isAdmin: false };
    if (access === 'admin' && !request.client.isAdmin) {
      const message = `The key ${request.client.name} may not do this; it takes the key of an administrator.`;
      throw new RequestError('forbidden', 'not_an_administrator', message);
    }
  });
}

async function limitRates(app: FastifyInstance, requestsPerMinute: number): Promise<void> {
  await app.register(rateLimit, {
    max: requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => (request.client.name === anonymous.name ? request.ip : request.client.name),
    allowList: (request) => accessOf(request) === 'public',
    errorResponseBuilder: (_request, { max, ttl }) => {
      const retryAfterSeconds = Math.max(1, Math.ceil(ttl / 1000));
      const message = `More than ${max} requests in a minute. Try again in ${retryAfterSeconds} s.`;
      return new RequestError('rate-limited', 'rate_limit_exceeded', message, { retryAfterSeconds });
    },
  });
}

/** Decides who may ask, before anything else of a request is looked at. */
export async function addSecurity(
  app: FastifyInstance,
  settings: ServerSettings,
  clients: Clients,
): Promise<void> {
  checkHosts(app, settings);
  checkOrigins(app, settings);
  if (settings.allowedOrigins.length > 0) {
    await app.register(cors, {
      origin: settings.allowedOrigins.includes('*') ? '*' : [...settings.allowedOrigins],
      allowedHeaders: ['authorization', 'content-type', 'x-api-key', 'anthropic-version', 'anthropic-beta'],
      exposedHeaders: ['x-request-id', 'retry-after'],
      methods: ['GET', 'POST', 'DELETE'],
    });
  }
  checkKeys(app, clients);
  if (settings.requestsPerMinute !== undefined) await limitRates(app, settings.requestsPerMinute);
}

import type { FastifyInstance } from 'fastify';
import { anonymous } from '../http/fastify-types.js';
import type { ServerSettings } from '../options.js';

/** Decides who may ask, before anything else of a request is looked at. */
export async function addSecurity(app: FastifyInstance, _settings: ServerSettings): Promise<void> {
  app.addHook('onRequest', async (request) => {
    request.client = anonymous;
  });
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { ServerContext } from '../context.js';

/** `/health`, `/ready`, `/metrics`: what operates the server looks at. */
export function operationRoutes(_context: ServerContext): FastifyPluginAsyncTypebox {
  return async (_app) => {};
}

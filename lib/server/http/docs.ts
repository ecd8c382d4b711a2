import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/** Describes all routes that are registered after it, as OpenAPI: for people at `/docs`, for programs at `/docs/json`. */
export async function addDocs(app: FastifyInstance): Promise<void> {
  app.addHook('onRoute', (route) => {
    // What there is to ask is no secret, and a browser shows no key.
    if (route.url === '/docs' || route.url.startsWith('/docs/'))
      route.config = { ...route.config, access: 'public' };
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'llama-native',
        version: '1',
        description: 'Language models on this machine, as a service.',
      },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
}

import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../context.js';
import { RequestError } from '../failures.js';
import { handleErrors } from '../http/error-handling.js';
import { toSimpleError } from '../simple/routes.js';
import { listPageFiles, pageDirectory, setPageHeaders } from './files.js';
import { PageMetrics, readPageMetrics } from './metrics.js';

const forEveryone = { config: { access: 'public' }, schema: { hide: true } } as const;

/** Files whose names say what is in them never change; others are asked for each time, and rarely sent. */
async function serveFiles(app: FastifyInstance, directory: string): Promise<void> {
  const files = listPageFiles(directory);
  await app.register(fastifyStatic, {
    root: directory,
    serve: false,
    preCompressed: true,
    decorateReply: !app.hasReplyDecorator('sendFile'),
  });
  // A route each: no path of a client ever becomes a path of a file.
  for (const file of files) {
    const isHashed = file.startsWith('assets/');
    const caching = isHashed ? { maxAge: '365d', immutable: true } : { maxAge: '1h' };
    app.get(`/${file}`, forEveryone, (_request, reply) => {
      setPageHeaders(reply);
      return reply.sendFile(file, directory, caching);
    });
  }
  app.get('/', forEveryone, (_request, reply) => {
    if (files.length === 0) {
      const message = `The chat page is not there: ${directory} holds no index.html. In a checkout \`npm run compile:page\` makes it; an installed package has it. The API at /docs works without it.`;
      throw new RequestError('not-found', 'page_not_built', message);
    }
    setPageHeaders(reply);
    return reply
      .header('cache-control', 'no-cache')
      .sendFile('index.html', directory, { cacheControl: false });
  });
}

/**
 * The chat page at `/`, its files, and what its dashboard asks for.
 * @param directory where the page is; another one in tests
 */
export function pageRoutes(context: ServerContext, directory = pageDirectory): FastifyPluginAsyncTypebox {
  return async (app) => {
    if (!context.settings.page) return;
    handleErrors(app, toSimpleError);
    await serveFiles(app as unknown as FastifyInstance, directory);
    app.get(
      '/page/metrics',
      {
        config: { access: 'admin' },
        schema: {
          tags: ['Page'],
          summary: 'How the server is doing, as the dashboard of the page shows it',
          response: { 200: PageMetrics },
        },
      },
      async (_request, reply) => {
        reply.header('cache-control', 'no-store');
        return readPageMetrics(context);
      },
    );
  };
}

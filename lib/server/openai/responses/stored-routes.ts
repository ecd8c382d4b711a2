import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { RequestError } from '../../failures.js';
import { unexpected } from '../checks.js';
import type { ResponseStore, StoredResponse } from './store.js';

const WithId = Type.Object({ id: Type.String({ description: 'Id of a stored response.' }) });

const RetrieveQuery = Type.Object({
  stream: Type.Optional(
    Type.String({ description: 'Only `false`: a stored response is not streamed again.' }),
  ),
});

const ListQuery = Type.Object({
  limit: Type.Optional(Type.String({ pattern: '^\\d{1,3}$', description: '1 to 100. Default 20.' })),
  order: Type.Optional(Type.String({ description: '`desc` (the default) or `asc`.' })),
  after: Type.Optional(Type.String({ description: 'Id of the item after which the list goes on.' })),
});

function notFound(id: string): RequestError {
  const message = `There is no response ${JSON.stringify(id)}. Responses are kept in memory, for a time, unless \`store\` is false.`;
  return new RequestError('not-found', 'response_not_found', message, { param: 'id' });
}

function find(store: ResponseStore, id: string, owner: string): StoredResponse {
  const stored = store.get(id, owner);
  if (stored === undefined) throw notFound(id);
  return stored;
}

function listItems(
  { input }: StoredResponse,
  { limit = '20', order = 'desc', after }: { limit?: string; order?: string; after?: string },
): object {
  const most = Number(limit);
  if (most < 1 || most > 100) throw unexpected('limit', 'a whole number from 1 to 100', most);
  if (order !== 'asc' && order !== 'desc') throw unexpected('order', '"asc" or "desc"', order);
  const all = order === 'asc' ? [...input] : [...input].reverse();
  const before = after === undefined ? -1 : all.findIndex(({ id }) => id === after);
  if (after !== undefined && before === -1) throw unexpected('after', 'the id of an item', after);
  const data = all.slice(before + 1, before + 1 + most);
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: before + 1 + data.length < all.length,
  };
}

/** What can be done with a stored response: read it, list what it answers, delete it. */
export function storedResponseRoutes(store: ResponseStore): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/v1/responses/:id',
      {
        schema: {
          tags: ['OpenAI'],
          summary: 'A stored response',
          params: WithId,
          querystring: RetrieveQuery,
        },
      },
      async ({ params, query, client }) => {
        if (query.stream === 'true') throw unexpected('stream', 'false', query.stream);
        return find(store, params.id, client.name).response;
      },
    );

    app.delete(
      '/v1/responses/:id',
      { schema: { tags: ['OpenAI'], summary: 'Forget a response', params: WithId } },
      async ({ params: { id }, client }) => {
        if (!store.delete(id, client.name)) throw notFound(id);
        return { id, object: 'response', deleted: true };
      },
    );

    app.get(
      '/v1/responses/:id/input_items',
      {
        schema: {
          tags: ['OpenAI'],
          summary: 'What a stored response answers',
          params: WithId,
          querystring: ListQuery,
        },
      },
      async ({ params, query, client }) => listItems(find(store, params.id, client.name), query),
    );
  };
}

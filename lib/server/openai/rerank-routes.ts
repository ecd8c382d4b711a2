import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import type { ServerContext } from '../context.js';
import { RequestError } from '../failures.js';
import { isObject, unexpected } from './checks.js';
import { optionalBoolean, optionalInteger, optionalText } from './fields.js';

/** The body of a rerank request, as Jina and Cohere have it. */
const RerankRequest = Type.Object({
  query: Type.String({ minLength: 1, description: 'What the documents are ranked by.' }),
  documents: Type.Unsafe<readonly unknown[]>({
    type: 'array',
    description: 'Texts, or objects with a `text`.',
    items: {},
  }),
  model: optionalText('Name of the model. Default: the default model.'),
  top_n: optionalInteger('Return only the best ones.', { minimum: 1 }),
  return_documents: optionalBoolean('Return the texts, too. Default false.'),
});

function checkDocuments({ documents }: Static<typeof RerankRequest>): void {
  if (documents.length === 0) throw unexpected('documents', 'at least one text', documents);
  for (const [index, document] of documents.entries()) {
    const text = isObject(document) ? document.text : document;
    if (typeof text !== 'string' || text === '') {
      throw unexpected(`documents[${index}]`, 'a text, or an object with a text', document);
    }
  }
}

/**
 * `POST /v1/rerank`: refused for every model, since the library computes no scores of pairs of texts. What embeddings
 * say of two texts is something else, and is not passed off as a score.
 */
export function rerankRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/v1/rerank',
      { schema: { tags: ['OpenAI'], summary: 'Rank texts (not supported yet)', body: RerankRequest } },
      async ({ body }): Promise<object> => {
        checkDocuments(body);
        const { name } = context.models.find(body.model ?? undefined);
        const message = `The model ${name} cannot rank here: scores of ranking models are not computed yet. Use /v1/embeddings with an embedding model and compare the vectors.`;
        throw new RequestError('invalid-request', 'rerank_unsupported', message, { param: 'model' });
      },
    );
  };
}

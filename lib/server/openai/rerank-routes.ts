import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import type { Model } from '../../index.js';
import type { ServerContext } from '../context.js';
import { isObject, unexpected } from './checks.js';
import { nameCause } from './errors.js';
import { optionalBoolean, optionalInteger, optionalText } from './fields.js';
import { newId } from './identity.js';

/** As many as texts to embed. */
const mostDocuments = 2048;

/** The first is Jina's and Cohere's; llama-server has it under all of them. */
const paths = ['/v1/rerank', '/rerank', '/v1/reranking', '/reranking'];

/** The body of a rerank request, as Jina and Cohere have it. */
const RerankRequest = Type.Object({
  query: Type.String({ minLength: 1, description: 'What the documents are ranked by.' }),
  documents: Type.Unsafe<readonly unknown[]>({
    type: 'array',
    description: `Texts, or objects with a \`text\`; at most ${mostDocuments}.`,
    items: {},
  }),
  model: optionalText('Name of the model. Default: the default model.'),
  top_n: optionalInteger('Return only the best ones. Default: all.', { minimum: 1 }),
  return_documents: optionalBoolean('Return the texts, too. Default false.'),
});

type RerankBody = Static<typeof RerankRequest>;

function readDocuments({ documents }: RerankBody): string[] {
  if (documents.length === 0) throw unexpected('documents', 'at least one text', documents);
  if (documents.length > mostDocuments) {
    throw unexpected('documents', `at most ${mostDocuments} texts`, documents);
  }
  return documents.map((document, index) => {
    const text = isObject(document) ? document.text : document;
    if (typeof text === 'string' && text !== '') return text;
    throw unexpected(`documents[${index}]`, 'a text, or an object with a text', document);
  });
}

/** A ranking as it was asked for. */
interface RerankPlan {
  readonly query: string;
  readonly documents: readonly string[];
  readonly count: number;
  readonly returnsDocuments: boolean;
}

function planRanking(body: RerankBody): RerankPlan {
  const documents = readDocuments(body);
  return {
    query: body.query,
    documents,
    count: body.top_n ?? documents.length,
    returnsDocuments: body.return_documents ?? false,
  };
}

async function rank(model: Model, plan: RerankPlan, signal: AbortSignal) {
  const { query, documents, count, returnsDocuments } = plan;
  let tokens = 0;
  const scores = await model.rank(query, documents, {
    signal,
    onProgress: (progress) => {
      tokens = progress.tokens;
    },
  });
  const results = scores
    .map((score, index) => ({
      index,
      relevance_score: score,
      ...(returnsDocuments && { document: { text: documents[index] } }),
    }))
    .sort((first, second) => second.relevance_score - first.relevance_score)
    .slice(0, count);
  return { results, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

/** `POST /v1/rerank`, for models that were made for it. What embeddings say is not passed off as a score. */
export function rerankRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    for (const path of paths) {
      app.post(
        path,
        {
          schema: {
            tags: ['OpenAI'],
            summary: 'Order texts by how well they fit a query',
            body: RerankRequest,
          },
        },
        async ({ body, scope, client }) => {
          try {
            const plan = planRanking(body);
            const work = { scope, client, kind: 'rerank', model: body.model ?? undefined } as const;
            return await context.work.run(work, async ({ model, name, signal }) => ({
              id: newId('rerank'),
              object: 'list',
              model: name,
              ...(await rank(model, plan, signal)),
            }));
          } catch (error) {
            const input = 'documents';
            throw nameCause(error, { input, format: input, maxTokens: input, tokens: input });
          }
        },
      );
    }
  };
}

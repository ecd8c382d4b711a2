import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../lib/index.js';
import { bertSizes, rankingHead, writeBertModel } from '../../helpers/embedding-models.js';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';

interface Ranking {
  readonly id: string;
  readonly object: string;
  readonly model: string;
  readonly results: readonly {
    readonly index: number;
    readonly relevance_score: number;
    readonly document?: { readonly text: string };
  }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

const query = 'How tall is the Eiffel Tower?';
const documents = [
  'It is painted brown.',
  'The Eiffel Tower is 330 metres tall.',
  'A tower of cards',
  'word '.repeat(60),
];

let path: string;
let started: TestServer;
beforeAll(async () => {
  path = await writeBertModel({ pooling: 'rank', head: rankingHead });
  started = await startTestServer({ models: [{ source: path, name: 'ranker' }], load: { threads: 1 } });
});
afterAll(() => started.server.close());

async function rerank(body: object, route = '/v1/rerank'): Promise<Ranking> {
  const response = await started.post(route, body);
  const answer = await response.json();
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer as Ranking;
}

describe('POST /v1/rerank', () => {
  it("gives the model's scores, the best first", async () => {
    await using model = await loadModel(path, { threads: 1 });
    const scores = await model.rank(query, documents);
    const { results, id, ...others } = await rerank({ query, documents, model: 'ranker' });
    expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2, 3]);
    for (const { index, relevance_score: score } of results) expect(score).toBeCloseTo(scores[index] ?? 0, 4);
    const given = results.map(({ relevance_score: score }) => score);
    expect(given).toEqual([...given].sort((first, second) => second - first));
    expect(id).toMatch(/^rerank-[0-9a-f]{32}$/);
    expect(results.every((result) => !('document' in result))).toBe(true);
    expect(others).toMatchObject({ object: 'list', model: 'ranker' });
  });

  it('counts the tokens of the query with each document', async () => {
    await using model = await loadModel(path, { threads: 1 });
    const counts = await model.tokenize([query, ...documents], { addSpecial: false });
    const [ofQuery = 0, ...ofDocuments] = counts.map(({ length }) => length);
    const tokens = ofDocuments.reduce((sum, length) => sum + ofQuery + length + 3, 0);
    const { usage } = await rerank({ query, documents });
    expect(usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
  });

  it('gives as many as were asked for, with their texts if asked to, whichever form they came in', async () => {
    const all = await rerank({ query, documents });
    const best = await rerank({
      query,
      documents: documents.map((text) => ({ text })),
      top_n: 2,
      return_documents: true,
    });
    expect(best.results.map(({ index }) => index)).toEqual(all.results.slice(0, 2).map(({ index }) => index));
    for (const { index, document } of best.results) expect(document).toEqual({ text: documents[index] });
    expect((await rerank({ query, documents, top_n: 99 })).results).toHaveLength(documents.length);
  });

  it.each(['/rerank', '/v1/reranking', '/reranking'])('is there as %s, too', async (route) => {
    const { results } = await rerank({ query, documents }, route);
    expect(results).toEqual((await rerank({ query, documents })).results);
  });

  it('refuses a document that is too long with both numbers', async () => {
    const response = await started.post('/v1/rerank', { query, documents: ['short', 'word '.repeat(200)] });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: {
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
        param: 'documents',
        message: expect.stringMatching(
          new RegExp(`at most ${bertSizes.context} .*documents\\[1\\] it has 2\\d\\d`),
        ),
      },
    });
  });

  it('is not found for a model that is not there', async () => {
    const response = await started.post('/v1/rerank', { query, documents, model: 'nobody' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'model_not_found' } });
  });

  it('refuses a model that gives no scores, and the model goes on', async () => {
    const { post } = await startServerForTest({ load: { threads: 1 } });
    const response = await post('/v1/rerank', { query, documents });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'model_unsupported', param: 'model' } });
    const answer = await post('/v1/completions', { prompt: 'Once', max_tokens: 1 });
    expect(answer.status).toBe(200);
  });

  it('ranks with an engine in a process of its own', async () => {
    const isolated = await startServerForTest({
      models: [{ source: path, name: 'ranker' }],
      load: { threads: 1, isolate: true },
    });
    const response = await isolated.post('/v1/rerank', { query, documents });
    expect(response.status).toBe(200);
    const { results } = (await response.json()) as Ranking;
    const here = await rerank({ query, documents });
    expect(results.map(({ index }) => index)).toEqual(here.results.map(({ index }) => index));
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEvents } from '../../helpers/server-events.js';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';
import { thinkingTemplate } from '../../helpers/thinking-template.js';

type Json = Record<string, unknown>;

const body = { model: 'smol', input: 'Say hello.', max_output_tokens: 4, temperature: 0 };

describe("OpenAI's responses", () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer({ load: { threads: 1 } });
  });
  afterAll(() => started.server.close());

  it('takes null for what is left out, and ignores what it does not know', async () => {
    const more = { instructions: null, tools: null, text: null, truncation: 'auto', include: [], user: 'x' };
    expect((await started.post('/v1/responses', { ...body, ...more, model: null })).status).toBe(200);
  });

  const bad: [string, unknown, number, string | null][] = [
    ['malformed JSON', '{"model":', 400, null],
    ['an array', [], 400, null],
    ['no input', { ...body, input: undefined }, 400, 'input'],
    ['an object as input', { ...body, input: {} }, 400, 'input'],
    ['no token', { ...body, max_output_tokens: 0 }, 400, 'max_output_tokens'],
    ['a negative number of tokens', { ...body, max_output_tokens: -5 }, 400, 'max_output_tokens'],
    ['tokens as a text', { ...body, max_output_tokens: '5' }, 400, 'max_output_tokens'],
    ['stream as a text', { ...body, stream: 'yes' }, 400, 'stream'],
    ['store as a text', { ...body, store: 'no' }, 400, 'store'],
    ['metadata as a text', { ...body, metadata: 'x' }, 400, 'metadata'],
    ['instructions as a list', { ...body, instructions: ['x'] }, 400, 'instructions'],
    ['an unknown model', { ...body, model: 'gpt' }, 404, 'model'],
    ['an unknown response', { ...body, previous_response_id: 'resp_1' }, 404, 'previous_response_id'],
    ['a tool that cannot be', { ...body, tools: [{ type: 'function', name: 'a b' }] }, 400, 'tools'],
    [
      'a schema that no grammar can express',
      {
        ...body,
        text: { format: { type: 'json_schema', name: 'x', strict: true, schema: { type: 'nonsense' } } },
      },
      400,
      'text.format',
    ],
  ];
  it.each(bad)('refuses %s, streamed or not, in its own shape', async (_name, sent, status, param) => {
    const isObject = typeof sent === 'object' && !Array.isArray(sent);
    for (const asked of isObject ? [sent, { stream: true, ...(sent as object) }] : [sent]) {
      const response = await started.post('/v1/responses', asked);
      expect(response.status).toBe(status);
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect(await response.json()).toEqual({
        error: {
          type: 'invalid_request_error',
          message: expect.any(String),
          code: expect.any(String),
          param,
        },
      });
    }
  });

  it.each([
    ['GET', '/v1/responses/resp_1', 404],
    ['GET', '/v1/responses/__proto__', 404],
    ['DELETE', '/v1/responses/resp_1', 404],
    ['GET', '/v1/responses/resp_1/input_items', 404],
    ['GET', '/v1/responses/resp_1?stream=true', 400],
  ])('answers %s %s with %d', async (method, path, status) => {
    const response = await fetch(`${started.url}${path}`, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  });

  it('lists the input page by page', async () => {
    const input = ['One', 'Two', 'Three'].map((content) => ({ role: 'user', content }));
    const { id } = (await (await started.post('/v1/responses', { ...body, input })).json()) as { id: string };
    const list = async (query: string) => {
      const response = await fetch(`${started.url}/v1/responses/${id}/input_items?${query}`);
      return (await response.json()) as { data: Json[]; has_more: boolean; last_id: string };
    };
    const first = await list('limit=2&order=asc');
    expect(first.data.map(({ content }) => content)).toEqual(['One', 'Two']);
    expect(first.has_more).toBe(true);
    const second = await list(`limit=2&order=asc&after=${first.last_id}`);
    expect(second.data.map(({ content }) => content)).toEqual(['Three']);
    expect(second.has_more).toBe(false);
    expect((await list('')).data.map(({ content }) => content)).toEqual(['Three', 'Two', 'One']);
    for (const query of ['limit=0', 'limit=101', 'limit=-1', 'limit=x', 'order=up', 'after=none']) {
      const response = await fetch(`${started.url}/v1/responses/${id}/input_items?${query}`);
      expect(response.status).toBe(400);
    }
  });

  it('goes on from a response whose items are referred to one by one', async () => {
    const first = (await (await started.post('/v1/responses', body)).json()) as { output: { id: string }[] };
    const input = [
      { role: 'user', content: 'Say hello.' },
      { type: 'item_reference', id: first.output[0]?.id },
      { role: 'user', content: 'And goodbye.' },
    ];
    expect((await started.post('/v1/responses', { ...body, input })).status).toBe(200);
    const unknown = await started.post('/v1/responses', {
      ...body,
      input: [{ type: 'item_reference', id: 'msg_1' }],
    });
    expect(unknown.status).toBe(404);
  });

  it('tells in the stream of what fails in the middle of it, and keeps nothing of it', async () => {
    const hurried = await startServerForTest({ requestTimeoutMs: 3000, load: { threads: 1 } });
    await hurried.server.models.load('smol');
    const asked = {
      ...body,
      input: 'Write a long story about a dog.',
      max_output_tokens: 1900,
      stream: true,
    };
    const events = await readEvents(await hurried.post('/v1/responses', asked));
    const last = JSON.parse(events.at(-1) ?? '') as { response: { id: string } };
    expect(last).toMatchObject({
      type: 'response.failed',
      response: {
        status: 'failed',
        error: { code: 'server_error', message: expect.stringContaining('3000') },
      },
    });
    expect((await fetch(`${hurried.url}/v1/responses/${last.response.id}`)).status).toBe(404);
  });

  it('shows a stored response to the key that made it, and to no other', async () => {
    const locked = await startServerForTest({ apiKeys: ['first-key', 'second-key'], load: { threads: 1 } });
    const as = (key: string) => ({ authorization: `Bearer ${key}` });
    const made = await locked.post('/v1/responses', body, as('first-key'));
    const { id } = (await made.json()) as { id: string };
    const read = async (key: string) =>
      (await fetch(`${locked.url}/v1/responses/${id}`, { headers: as(key) })).status;
    expect([await read('first-key'), await read('second-key'), await read('third-key')]).toEqual([
      200, 404, 401,
    ]);
    const stolen = await locked.post(
      '/v1/responses',
      { ...body, previous_response_id: id },
      as('second-key'),
    );
    expect(stolen.status).toBe(404);
  });

  it('has the thoughts of a model in an item of their own', async () => {
    const thinker = await startServerForTest({ load: { chatTemplate: thinkingTemplate, threads: 1 } });
    const asked = { ...body, max_output_tokens: 8 };
    const whole = (await (await thinker.post('/v1/responses', asked)).json()) as {
      output: Json[];
      usage: Json;
    };
    expect(whole.output[0]).toMatchObject({
      type: 'reasoning',
      content: [{ type: 'reasoning_text', text: expect.stringMatching(/./) }],
    });
    expect(whole.usage).toMatchObject({ output_tokens_details: { reasoning_tokens: expect.any(Number) } });
    const events = await readEvents(await thinker.post('/v1/responses', { ...asked, stream: true }));
    expect(events.some((event) => event.includes('"type":"response.reasoning_text.delta"'))).toBe(true);
  });
});

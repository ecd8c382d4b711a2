import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';

const messages = [{ role: 'user', content: 'Hello' }];
const chat = '/v1/chat/completions';

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

let started: TestServer;
beforeAll(async () => {
  started = await startTestServer({ load: { threads: 1 } });
});
afterAll(() => started.server.close());

async function refusal(path: string, body: unknown): Promise<{ status: number } & ErrorBody['error']> {
  const response = await started.post(path, body);
  const { error } = (await response.json()) as ErrorBody;
  expect(response.headers.get('x-request-id')).not.toBeNull();
  return { status: response.status, ...error };
}

describe("bad requests in OpenAI's form", () => {
  it.each([
    ['messages', {}],
    ['messages', { messages: 'Hello' }],
    ['messages', { messages: [] }],
    ['messages[0]', { messages: ['Hello'] }],
    ['messages[0].role', { messages: [{ role: 'robot', content: 'x' }] }],
    ['model', { messages, model: 5 }],
    ['stream', { messages, stream: 'yes' }],
    ['max_tokens', { messages, max_tokens: 0 }],
    ['max_tokens', { messages, max_tokens: -1 }],
    ['max_tokens', { messages, max_tokens: 1.5 }],
    ['max_completion_tokens', { messages, max_completion_tokens: '10' }],
    ['n', { messages, n: 0 }],
    ['n', { messages, n: 129 }],
    ['temperature', { messages, temperature: -1 }],
    ['temperature', { messages, temperature: 'hot' }],
    ['top_p', { messages, top_p: 1.1 }],
    ['top_k', { messages, top_k: -2 }],
    ['top_logprobs', { messages, logprobs: true, top_logprobs: 21 }],
    ['stop', { messages, stop: 5 }],
    ['seed', { messages, seed: 1.5 }],
    ['logit_bias', { messages, logit_bias: [1] }],
    ['logit_bias', { messages, logit_bias: { 999999: 1 } }],
    ['tools', { messages, tools: 'weather' }],
    ['tools', { messages, tools: [{ type: 'function', function: { name: 'not a name' } }] }],
    [
      'tools',
      { messages, tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'array' } } }] },
    ],
    ['tool_choice', { messages, tool_choice: 5 }],
    ['response_format', { messages, response_format: 'json' }],
    ['grammar', { messages, grammar: 'root ::= (' }],
    ['grammar', { messages, grammar: '' }],
    ['chat_template_kwargs', { messages, chat_template_kwargs: 'x' }],
  ])('name %s of a chat', async (param, body) => {
    expect(await refusal(chat, body)).toMatchObject({ status: 400, type: 'invalid_request_error', param });
  });

  it.each([
    ['/v1/completions', 'prompt', {}],
    ['/v1/completions', 'prompt', { prompt: '' }],
    ['/v1/completions', 'prompt', { prompt: null }],
    ['/v1/completions', 'prompt', { prompt: [999_999] }],
    ['/v1/completions', 'max_tokens', { prompt: 'x', max_tokens: 0 }],
    ['/v1/completions', 'logprobs', { prompt: 'x', logprobs: true }],
    ['/v1/completions', 'best_of', { prompt: 'x', n: 2, best_of: 1 }],
    ['/v1/embeddings', 'input', {}],
    ['/v1/embeddings', 'input', { input: [] }],
    ['/v1/embeddings', 'input[1]', { input: ['x', ''] }],
    ['/v1/embeddings', 'input[0]', { input: [{ text: 'x' }] }],
    ['/v1/embeddings', 'input', { input: [999_999] }],
    ['/v1/embeddings', 'dimensions', { input: 'x', dimensions: 0 }],
    ['/v1/embeddings', 'dimensions', { input: 'x', dimensions: 577 }],
    ['/v1/embeddings', 'encoding_format', { input: 'x', encoding_format: 'int8' }],
    ['/v1/rerank', 'query', { documents: ['x'] }],
    ['/v1/rerank', 'query', { query: '', documents: ['x'] }],
    ['/v1/rerank', 'query', { query: ['x'], documents: ['x'] }],
    ['/v1/rerank', 'documents', { query: 'x' }],
    ['/v1/rerank', 'documents', { query: 'x', documents: 'x' }],
    ['/v1/rerank', 'documents', { query: 'x', documents: [] }],
    ['/v1/rerank', 'documents', { query: 'x', documents: Array(2049).fill('x') }],
    ['/v1/rerank', 'documents[1]', { query: 'x', documents: ['x', 5] }],
    ['/v1/rerank', 'documents[0]', { query: 'x', documents: [{ title: 'x' }] }],
    ['/v1/rerank', 'documents[0]', { query: 'x', documents: [''] }],
    ['/v1/rerank', 'top_n', { query: 'x', documents: ['x'], top_n: 0 }],
    ['/v1/rerank', 'return_documents', { query: 'x', documents: ['x'], return_documents: 'yes' }],
    ['/v1/rerank', 'model', { query: 'x', documents: ['x', { text: 'y' }] }],
  ])('of %s name %s', async (path, param, body) => {
    expect(await refusal(path, body)).toMatchObject({ status: 400, type: 'invalid_request_error', param });
  });

  it.each([
    ['{"messages": [', 400],
    ['[]', 400],
    ['"text"', 400],
    ['', 400],
    [`{"messages":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400],
  ])('that are no request at all are answered %#', async (body, status) => {
    const failure = await refusal(chat, body);
    expect(failure).toMatchObject({ status, type: 'invalid_request_error' });
  });

  it('of another type than JSON, or too large, have their status', async () => {
    const text = await started.post(chat, 'Hello', { 'content-type': 'text/csv' });
    expect(text.status).toBe(415);
    expect(((await text.json()) as ErrorBody).error.type).toBe('invalid_request_error');
    const large = await started.post(chat, { messages: [{ role: 'user', content: 'x'.repeat(9_000_000) }] });
    expect(large.status).toBe(413);
    expect(((await large.json()) as ErrorBody).error.type).toBe('invalid_request_error');
  });

  it('tell both numbers where a prompt is too long, also of a stream', async () => {
    const long = [{ role: 'user', content: 'word '.repeat(3000) }];
    for (const stream of [false, true]) {
      const failure = await refusal(chat, { messages: long, stream });
      expect(failure).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
      expect(failure.message).toMatch(/\b3\d\d\d\b.*\b2048\b|\b2048\b.*\b3\d\d\d\b/);
    }
  });

  it('tell of a strict schema what no grammar can hold, and what is left out of another', async () => {
    const schema = { type: 'object', properties: { n: { type: 'number', multipleOf: 3 } }, required: ['n'] };
    const format = (strict: boolean) => ({ type: 'json_schema', json_schema: { name: 'x', strict, schema } });
    const failure = await refusal(chat, { messages, response_format: format(true) });
    expect(failure).toMatchObject({ status: 400, code: 'invalid_schema', param: 'response_format' });
    expect(failure.message).toContain('multipleOf');
    const loose = await started.post(chat, { messages, response_format: format(false), max_tokens: 4 });
    expect(loose.status).toBe(200);
    expect(loose.headers.get('x-llama-native-warning')).toContain('multipleOf at #/properties/n');
  });

  it('for a form beside tools are served with a warning', async () => {
    const tools = [{ type: 'function', function: { name: 'f' } }];
    const body = { messages, tools, response_format: { type: 'json_object' }, max_tokens: 2 };
    const response = await started.post(chat, body);
    expect(response.status).toBe(200);
    expect(response.headers.get('x-llama-native-warning')).toContain('not enforced');
  });

  it('take null for what is left out, and leave unknown fields alone', async () => {
    const nothing = ['stream', 'stop', 'n', 'seed', 'tools', 'tool_choice', 'response_format', 'logit_bias'];
    const nulls = Object.fromEntries(nothing.map((name) => [name, null]));
    const body = { messages, max_tokens: 1, ...nulls, user: 'me', nonsense: { deep: [{}] } };
    expect((await started.post(chat, body)).status).toBe(200);
  });

  it('with broken UTF-8 are refused: nobody can say what they were to be', async () => {
    const body = Buffer.concat([
      Buffer.from('{"max_tokens":1,"messages":[{"role":"user","content":"'),
      Buffer.from([0xff, 0xfe, 0xc3]),
      Buffer.from('"}]}'),
    ]);
    const response = await fetch(`${started.url}${chat}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  });
});

describe('a client that goes away', () => {
  it('in the middle of a stream ends the work, and others are served', async () => {
    const { url, server, post } = await startServerForTest({ load: { threads: 1 } });
    const body = JSON.stringify({ messages, stream: true, ignore_eos: true, n: 2 });
    await new Promise<void>((resolve, reject) => {
      const sent = request(`${url}${chat}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      });
      sent.on('response', (response) => {
        response.once('data', () => {
          response.destroy();
          resolve();
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
    await expect.poll(() => server.models.find('smol').inFlight, { timeout: 20_000 }).toBe(0);
    expect((await post(chat, { messages, max_tokens: 1 })).status).toBe(200);
  });
});

import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PartStream } from '../../../lib/chat/part-stream.js';
import { createError } from '../../../lib/errors.js';
import type { ChatCallOptions, ChatPart, ChatResult, Model } from '../../../lib/index.js';
import type { ServerContext } from '../../../lib/server/context.js';
import { RequestError } from '../../../lib/server/failures.js';
import { LateStream } from '../../../lib/server/http/late-stream.js';
import { addRequestScopes } from '../../../lib/server/http/request-scopes.js';
import { ChoiceChunks } from '../../../lib/server/openai/chat-chunks.js';
import { toOpenaiError } from '../../../lib/server/openai/errors.js';
import { openaiRoutes } from '../../../lib/server/openai/routes.js';
import type { WorkPlace, WorkRequest } from '../../../lib/server/workload/work.js';

const head = { id: 'chatcmpl-1', created: 1, model: 'm', fingerprint: 'fp_1', includesUsage: false };
const timings = { promptMs: 1, completionMs: 1, promptTokensPerSecond: 1, completionTokensPerSecond: 1 };
const finished = {
  text: 'Hi',
  reasoning: '',
  toolCalls: [],
  finishReason: 'stop',
  usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 2, contextShifts: 0 },
  timings,
} as unknown as ChatResult;

/** The data of all events of a text. */
function dataOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice('data: '.length));
}

function deltaOf(event: string): Record<string, unknown> {
  const [data = ''] = dataOf(event);
  return JSON.parse(data).choices[0].delta;
}

describe('the chunks of a choice', () => {
  const chunks = () => new ChoiceChunks(head, 0);

  it('hold every text, whatever its characters', () => {
    for (const text of ['"quotes" \\ and\nlines', '\u2028\u0000', '👩‍👩‍👧', '\ud800', 'data: [DONE]\n\n']) {
      const event = chunks().add({ type: 'text', text });
      expect(event.match(/\n/g)).toHaveLength(2);
      expect(deltaOf(event)).toEqual({ content: text });
    }
  });

  it('tell thoughts apart from text', () => {
    expect(deltaOf(chunks().add({ type: 'reasoning', text: 'Hm' }))).toEqual({ reasoning_content: 'Hm' });
  });

  it('give calls an index each, their name once, and their arguments bit by bit', () => {
    const writer = chunks();
    const call = (id: string, argumentsText: string, complete = false) =>
      ({ type: 'tool-call', id, name: 'f', argumentsText, complete, arguments: {} }) as ChatPart;
    const events = [
      call('a', '{"x"'),
      call('a', '{"x":1}'),
      call('a', '{"x":1}', true),
      call('b', '{}', true),
    ].map((part) => writer.add(part));
    expect(events[2]).toBe('');
    expect([events[0], events[1], events[3]].map((event) => deltaOf(event ?? '').tool_calls)).toEqual([
      [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{"x"' } }],
      [{ index: 0, function: { arguments: ':1}' } }],
      [{ index: 1, id: 'b', type: 'function', function: { name: 'f', arguments: '{}' } }],
    ]);
  });

  it('say nothing of results of tools', () => {
    const part: ChatPart = { type: 'tool-result', id: 'a', name: 'f', result: 1 };
    expect(chunks().add(part)).toBe('');
  });

  it('say that usage is not known yet where it comes at the end', () => {
    const event = new ChoiceChunks({ ...head, includesUsage: true }, 2).end(finished);
    const [data = ''] = dataOf(event);
    expect(JSON.parse(data)).toMatchObject({
      choices: [{ index: 2, delta: {}, logprobs: null, finish_reason: 'stop' }],
      usage: null,
    });
  });
});

type Answer = (emit: (part: ChatPart) => void, options: ChatCallOptions) => Promise<ChatResult>;

/** A server of the OpenAI routes alone, whose model answers by script. */
async function serve(answer: Answer): Promise<string> {
  const model = {
    chat: (_messages: unknown, options: ChatCallOptions) =>
      new PartStream(
        (emit) => answer(emit, options),
        () => {},
      ),
    metadata: { description: 'scripted' },
    contextSize: 10,
  } as unknown as Model;
  const run = (request: WorkRequest, task: (place: WorkPlace) => Promise<unknown>) =>
    task({ model, name: 'm', signal: request.scope.signal, record: () => {} });
  const settings = { slowReaderTimeoutMs: 1000 };
  const app = Fastify({ ajv: { customOptions: { allowUnionTypes: true } } });
  app.decorateRequest('scope', undefined as never);
  addRequestScopes(app, 0);
  await app.register(openaiRoutes({ settings, work: { run } } as unknown as ServerContext));
  return listen(app);
}

/** Where an app can be reached until the test ends. */
function listen(app: FastifyInstance): Promise<string> {
  onTestFinished(() => app.close());
  return app.listen({ host: '127.0.0.1', port: 0 });
}

const post = (url: string, over: object = {}) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'x' }], stream: true, ...over }),
  });

describe('a stream', () => {
  it('that fails before its first event is an answer with a status', async () => {
    const url = await serve(async () => {
      throw createError('PROMPT_TOO_LONG', 'Too long.');
    });
    const response = await post(url);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: {
        message: 'Too long.',
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      },
    });
  });

  it('that fails in its middle tells it as an event, and ends without saying that it is done', async () => {
    const url = await serve(async (emit) => {
      emit({ type: 'text', text: 'Hi' });
      await new Promise(setImmediate);
      throw createError('ENGINE_CRASHED', 'The engine is gone.');
    });
    const events = dataOf(await (await post(url)).text());
    expect(events).toHaveLength(3);
    expect(JSON.parse(events[2] ?? '')).toEqual({
      // Not the engine's own words, which hold what it logged.
      error: {
        message: expect.stringContaining('crashed'),
        type: 'server_error',
        param: null,
        code: 'engine_crashed',
      },
    });
  });

  it('says nothing of the inside of an error that nobody foresaw', async () => {
    const url = await serve(async (emit) => {
      emit({ type: 'text', text: 'Hi' });
      await new Promise(setImmediate);
      throw new TypeError('secret');
    });
    const payload = await (await post(url)).text();
    expect(payload).not.toContain('secret');
    expect(payload).toContain('internal_error');
  });

  it('of an answer without any text has its role and its end', async () => {
    const url = await serve(async () => ({ ...finished, text: '' }));
    const events = dataOf(await (await post(url)).text());
    expect(events).toHaveLength(3);
    expect(JSON.parse(events[0] ?? '').choices[0].delta).toEqual({ role: 'assistant', content: '' });
    expect(JSON.parse(events[1] ?? '').choices[0].finish_reason).toBe('stop');
    expect(events[2]).toBe('[DONE]');
  });

  it.each([true, false])(
    'of several answers ends all of them when one fails (stream: %s)',
    async (stream) => {
      const signals: (AbortSignal | undefined)[] = [];
      const url = await serve(async (_emit, { signal }) => {
        signals.push(signal);
        if (signals.length === 1) {
          await new Promise(setImmediate);
          throw createError('CONTEXT_FULL', 'Full.');
        }
        return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
      });
      expect((await post(url, { n: 2, stream })).status).toBe(400);
      expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
    },
  );

  it('of several answers ends with the failure of one, though another has more to say', async () => {
    let begun = 0;
    const url = await serve(async (emit, { signal }) => {
      const isFirst = begun++ === 0;
      emit({ type: 'text', text: 'Hi' });
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (isFirst) throw createError('CONTEXT_FULL', 'Full.');
      if (!signal?.aborted) await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (const text of ['and', 'on']) emit({ type: 'text', text });
      throw createError('ABORTED', 'Ended.');
    });
    const events = dataOf(await (await post(url, { n: 2 })).text());
    expect(JSON.parse(events.at(-1) ?? '').error.code).toBe('context_full');
    expect(events.filter((event) => event.includes('"error"'))).toHaveLength(1);
    expect((await fetch(url)).status).toBe(404); // the server is still there
  });

  it('that nothing comes of for a while opens nevertheless, and tells a failure as an event', async () => {
    const app = Fastify({ ajv: { customOptions: { allowUnionTypes: true } } });
    app.decorateRequest('scope', undefined as never);
    addRequestScopes(app, 0);
    app.get('/', async (request, reply) => {
      const stream = new LateStream(request, reply, {
        slowReaderTimeoutMs: 1000,
        failureData: toOpenaiError,
        silenceMs: 5,
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      stream.fail(new RequestError('timeout', 'timeout', 'Too slow.'));
    });
    const response = await fetch(await listen(app));
    expect(response.status).toBe(200);
    expect(dataOf(await response.text()).map((data) => JSON.parse(data).error.code)).toEqual(['timeout']);
  });
});

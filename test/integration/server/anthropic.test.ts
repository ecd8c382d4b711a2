import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';
import { thinkingTemplate } from '../../helpers/thinking-template.js';

interface Sent {
  readonly name: string;
  readonly data: Record<string, unknown>;
}

async function readNamedEvents(response: Response): Promise<Sent[]> {
  const events = (await response.text()).split('\n\n').filter((event) => event.startsWith('event: '));
  return events.map((event) => {
    const [first = '', second = ''] = event.split('\n');
    return { name: first.slice('event: '.length), data: JSON.parse(second.slice('data: '.length)) };
  });
}

const body = {
  model: 'smol',
  max_tokens: 20,
  temperature: 0,
  messages: [{ role: 'user', content: 'Say hello.' }],
};

describe("Anthropic's API", () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer();
  });
  afterAll(() => started.server.close());

  it('streams named events, with a ping among them', async () => {
    const response = await started.post('/v1/messages', { ...body, stream: true });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'));
    const events = await readNamedEvents(response);
    expect(events.every(({ name, data }) => data.type === name)).toBe(true);
    const order = events.map(({ name }) => name).filter((name, index, all) => name !== all[index - 1]);
    expect(order).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('ignores what it does not know, and takes null for what is left out', async () => {
    const more = {
      metadata: { user_id: 'x' },
      service_tier: 'auto',
      container: null,
      mcp_servers: [],
      top_k: null,
    };
    expect((await started.post('/v1/messages', { ...body, ...more, max_tokens: 1 })).status).toBe(200);
  });

  const bad: [string, unknown, number, string, RegExp][] = [
    ['malformed JSON', '{"model":', 400, 'invalid_request_error', /JSON/],
    ['an array', [], 400, 'invalid_request_error', /object/],
    ['nothing', '', 400, 'invalid_request_error', /./],
    ['no model', { ...body, model: undefined }, 400, 'invalid_request_error', /model/],
    ['no max_tokens', { ...body, max_tokens: undefined }, 400, 'invalid_request_error', /max_tokens/],
    ['no messages', { ...body, messages: undefined }, 400, 'invalid_request_error', /messages/],
    ['messages that are none', { ...body, messages: 'Hi' }, 400, 'invalid_request_error', /messages/],
    ['no message', { ...body, messages: [] }, 400, 'invalid_request_error', /at least one/],
    ['max_tokens of zero', { ...body, max_tokens: 0 }, 400, 'invalid_request_error', /max_tokens/],
    ['negative max_tokens', { ...body, max_tokens: -1 }, 400, 'invalid_request_error', /max_tokens/],
    ['max_tokens as a text', { ...body, max_tokens: '5' }, 400, 'invalid_request_error', /max_tokens/],
    ['half a token', { ...body, max_tokens: 1.5 }, 400, 'invalid_request_error', /max_tokens/],
    ['a negative temperature', { ...body, temperature: -1 }, 400, 'invalid_request_error', /temperature/],
    ['top_p above 1', { ...body, top_p: 2 }, 400, 'invalid_request_error', /top_p/],
    ['a negative top_k', { ...body, top_k: -1 }, 400, 'invalid_request_error', /top_k/],
    [
      'stop sequences as a text',
      { ...body, stop_sequences: 'x' },
      400,
      'invalid_request_error',
      /stop_sequences/,
    ],
    ['stream as a text', { ...body, stream: 'yes' }, 400, 'invalid_request_error', /stream/],
    ['an unknown model', { ...body, model: 'claude' }, 404, 'not_found_error', /smol/],
    [
      'an image',
      { ...body, messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] },
      400,
      'invalid_request_error',
      /Images/,
    ],
    [
      'a schema that no grammar can express',
      { ...body, output_config: { format: { type: 'json_schema', schema: { type: 'nonsense' } } } },
      400,
      'invalid_request_error',
      /nonsense|type/,
    ],
    [
      'a tool whose name cannot be used',
      { ...body, tools: [{ name: 'a b', input_schema: { type: 'object' } }] },
      400,
      'invalid_request_error',
      /a b/,
    ],
    [
      'deep nesting',
      {
        ...body,
        tools: [
          {
            name: 'deep',
            input_schema: { type: 'object', x: JSON.parse('['.repeat(5000) + ']'.repeat(5000)) },
          },
        ],
      },
      400,
      'invalid_request_error',
      /./,
    ],
  ];
  it.each(bad)(
    'refuses %s, streamed or not, in its own shape',
    async (_name, sent, status, type, message) => {
      const isObject = typeof sent === 'object' && !Array.isArray(sent);
      for (const asked of isObject ? [sent, { stream: true, ...(sent as object) }] : [sent]) {
        const response = await started.post('/v1/messages', asked);
        expect(response.status).toBe(status);
        expect(await response.json()).toEqual({
          type: 'error',
          error: { type, message: expect.stringMatching(message) },
          request_id: response.headers.get('request-id'),
        });
      }
    },
  );

  it('refuses to count what it would refuse to answer', async () => {
    const response = await started.post('/v1/messages/count_tokens', { model: 'smol', messages: [] });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } });
  });

  it('counts the tokens that it then reads', async () => {
    const tools = [
      { name: 'now', description: 'The time.', input_schema: { type: 'object', properties: {} } },
    ];
    const asked = { ...body, max_tokens: 1, system: 'Be kind.', tools };
    const counted = await started.post('/v1/messages/count_tokens', asked);
    const { usage } = (await (await started.post('/v1/messages', asked)).json()) as {
      usage: Record<string, number>;
    };
    expect(await counted.json()).toEqual({
      input_tokens: (usage.input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0),
    });
  });

  it('lives on when clients send half a request, or vanish in the middle of a stream', async () => {
    const { hostname, port } = new URL(started.url);
    const long = JSON.stringify({ ...body, max_tokens: 1500, stream: true });
    const head = `POST /v1/messages HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\n`;
    for (const text of [
      `${head}content-length: 500\r\n\r\n{"mod`,
      `${head}content-length: ${long.length}\r\n\r\n${long}`,
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname, () => socket.write(text));
        socket.once('data', () => socket.destroy());
        setTimeout(() => socket.destroy(), 3000);
        socket.once('close', () => resolve());
      });
    }
    await expect.poll(() => started.server.models.list()[0]?.inFlight, { timeout: 10_000 }).toBe(0);
    expect((await started.post('/v1/messages', { ...body, max_tokens: 1 })).status).toBe(200);
  });

  it('tells in the stream of what fails in the middle of it', async () => {
    const hurried = await startServerForTest({ requestTimeoutMs: 3000 });
    await hurried.server.models.load('smol');
    const messages = [{ role: 'user', content: 'Write a long story about a dog.' }];
    const asked = { ...body, messages, max_tokens: 1900, stream: true };
    const events = await readNamedEvents(await hurried.post('/v1/messages', asked));
    expect(events[0]?.name).toBe('message_start');
    expect(events.at(-1)).toMatchObject({
      name: 'error',
      data: { type: 'error', error: { type: 'timeout_error', message: expect.stringContaining('3000') } },
    });
  });
});

describe("Anthropic's API and a model that thinks", () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer({ load: { chatTemplate: thinkingTemplate } });
  });
  afterAll(() => started.server.close());

  const thinking = { ...body, max_tokens: 40, thinking: { type: 'enabled', budget_tokens: 8 } };

  it('has its thoughts in a block before the text', async () => {
    const message = (await (await started.post('/v1/messages', thinking)).json()) as {
      content: { type: string }[];
      usage: { output_tokens_details: { thinking_tokens: number } };
    };
    expect(message.content).toMatchObject([
      { type: 'thinking', thinking: expect.stringMatching(/./), signature: expect.stringMatching(/./) },
      { type: 'text', text: expect.stringMatching(/./) },
    ]);
    expect(message.usage.output_tokens_details.thinking_tokens).toBeGreaterThan(0);
    expect(message.usage.output_tokens_details.thinking_tokens).toBeLessThanOrEqual(10);
  });

  it('streams thoughts, signs them, and goes on with the text', async () => {
    const events = await readNamedEvents(await started.post('/v1/messages', { ...thinking, stream: true }));
    const kinds = events
      .filter(({ name }) => name === 'content_block_delta')
      .map(({ data }) => `${data.index} ${(data.delta as { type: string }).type}`);
    expect(kinds.filter((kind, index) => kind !== kinds[index - 1])).toEqual([
      '0 thinking_delta',
      '0 signature_delta',
      '1 text_delta',
    ]);
  });

  it('shows no thoughts where they are not wanted', async () => {
    const asked = { ...thinking, thinking: { ...thinking.thinking, display: 'omitted' } };
    const { content } = (await (await started.post('/v1/messages', asked)).json()) as { content: object[] };
    expect(content[0]).toMatchObject({ type: 'thinking', thinking: '' });
    const streamed = await (await started.post('/v1/messages', { ...asked, stream: true })).text();
    expect(streamed).not.toContain('thinking_delta');
  });

  it('takes thoughts back', async () => {
    const first = (await (await started.post('/v1/messages', thinking)).json()) as { content: object[] };
    const messages = [...body.messages, { role: 'assistant', content: first.content }, ...body.messages];
    expect((await started.post('/v1/messages', { ...thinking, messages })).status).toBe(200);
  });
});

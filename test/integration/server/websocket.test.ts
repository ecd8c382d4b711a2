import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { StreamClient } from '../../helpers/stream-client.js';
import { startTestServer, type TestServer } from '../../helpers/test-server.js';
import { startTinyServer, type TinyServer } from '../../helpers/tiny-server-suite.js';

const endless = { type: 'completion', prompt: 'a', max_tokens: 1_000_000, logit_bias: { 258: -100 } };

describe('generations over a WebSocket', () => {
  let started: TestServer;
  let client: StreamClient;
  beforeAll(async () => {
    started = await startTestServer({ load: { threads: 1 } });
    client = await StreamClient.open(started.url);
  });
  afterAll(async () => {
    client.socket.close();
    await started.server.close();
  });

  it('stream a completion in pieces and end with usage', async () => {
    client.send({
      type: 'completion',
      id: 'paris',
      prompt: 'The capital of France is',
      max_tokens: 5,
      temperature: 0,
    });
    expect(await client.end('paris')).toEqual({
      type: 'done',
      id: 'paris',
      finish_reason: 'length',
      usage: {
        prompt_tokens: 5,
        completion_tokens: 5,
        total_tokens: 10,
        prompt_tokens_details: { cached_tokens: expect.any(Number) },
      },
    });
    expect(client.text('paris')).toContain('Paris');
    const first = client.messages.find(({ id }) => id === 'paris');
    expect(first).toEqual({
      type: 'started',
      id: 'paris',
      model: 'smol',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('stream an answer to a conversation, in the fields of OpenAI', async () => {
    client.send({
      type: 'chat',
      id: 'chat',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      max_completion_tokens: 20,
      temperature: 0,
      stop: [','],
    });
    expect(await client.end('chat')).toMatchObject({ finish_reason: 'stop', stop_string: ',' });
    expect(client.text('chat')).toMatch(/^[^,]+$/);
  });

  it('send the calls that the model asks for when they are complete', async () => {
    client.send({
      type: 'chat',
      id: 'tools',
      messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            parameters: { type: 'object', properties: { city: { enum: ['Paris'] } }, required: ['city'] },
          },
        },
      ],
      tool_choice: 'required',
      parallel_tool_calls: false,
      max_tokens: 80,
    });
    expect(await client.end('tools')).toMatchObject({ type: 'done', finish_reason: 'tool_calls' });
    const call = client.messages.find(({ type, id }) => type === 'tool_call' && id === 'tools');
    expect(call?.tool_call).toMatchObject({ id: expect.any(String), name: 'weather' });
    const { arguments: text = '' } = (call?.tool_call ?? {}) as { arguments?: string };
    expect(JSON.parse(text)).toEqual({ city: 'Paris' });
  });

  it('hold an answer to a JSON schema', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer', maximum: 99 } }, required: ['n'] };
    client.send({
      type: 'chat',
      id: 'json',
      messages: [{ role: 'user', content: 'A number?' }],
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema } },
    });
    await client.end('json');
    expect(JSON.parse(client.text('json'))).toEqual({ n: expect.any(Number) });
  });

  it('answer a ping', async () => {
    client.send({ type: 'ping', id: 'p1' });
    expect(await client.find(({ type }) => type === 'pong')).toEqual({ type: 'pong', id: 'p1' });
  });
});

describe('a WebSocket with several generations', () => {
  let tiny: TinyServer;
  beforeAll(async () => {
    tiny = await startTinyServer({
      slowReaderTimeoutMs: 1000,
      bodyLimitBytes: 200_000,
      load: { contextSize: 4096 },
    });
  });
  afterAll(() => tiny.close());

  const open = async () => {
    const client = await StreamClient.open(tiny.url);
    onTestFinished(() => client.socket.terminate());
    return client;
  };

  it('runs them at the same time, and each can be cancelled alone', async () => {
    const client = await open();
    for (const id of ['a', 'b', 'c']) client.send({ ...endless, id, prompt: id });
    for (const id of ['a', 'b', 'c'])
      await client.find((message) => message.id === id && message.type === 'delta');
    client.send({ type: 'cancel', id: 'b' });
    expect(await client.end('b')).toEqual({ type: 'done', id: 'b', finish_reason: 'cancelled', usage: null });
    const before = client.text('a').length;
    await client.find(() => client.text('a').length > before);
    client.send({ type: 'cancel', id: 'a' });
    client.send({ type: 'cancel', id: 'c' });
    await Promise.all([client.end('a'), client.end('c')]);
    await tiny.becomesIdle();
  });

  it('gives the text that the library gives, whatever else goes on', async () => {
    const client = await open();
    const ids = Array.from({ length: 12 }, (_, index) => `g${index}`);
    for (const id of ids) client.send({ type: 'completion', id, prompt: id, max_tokens: 60, temperature: 0 });
    await Promise.all(ids.map((id) => client.end(id)));
    for (const id of ids) {
      const response = await tiny.post('/generate', { prompt: id, max_tokens: 60, temperature: 0 });
      expect(await response.json()).toMatchObject({ generated_text: client.text(id) });
    }
  });

  it.each<[string, unknown, object]>([
    ['text that is no JSON', 'hello', { code: 'invalid_json' }],
    ['JSON that is no object', '[1]', { code: 'invalid_message' }],
    ['null', 'null', { code: 'invalid_message' }],
    ['JSON that is nested too deeply', '['.repeat(50_000), { code: 'nested_too_deeply' }],
    ['an unknown type', { type: 'dance', id: 'x' }, { code: 'unknown_type', param: 'type' }],
    ['a type that every object has', { type: 'constructor', id: 'x' }, { code: 'unknown_type' }],
    ['no id', { type: 'completion', prompt: 'a' }, { code: 'invalid_value' }],
    [
      'an id that is a number',
      { type: 'completion', id: 5, prompt: 'a' },
      { code: 'invalid_value', param: 'id' },
    ],
    ['an id without end', { type: 'cancel', id: 'x'.repeat(1000) }, { code: 'invalid_value', param: 'id' }],
    ['no prompt', { type: 'completion', id: 'x' }, { code: 'invalid_value' }],
    [
      'a negative limit',
      { type: 'completion', id: 'x', prompt: 'a', max_tokens: -1 },
      { param: 'max_tokens' },
    ],
    ['messages that are none', { type: 'chat', id: 'x', messages: 'Hello' }, { param: 'messages' }],
    ['a cancel of what never was', { type: 'cancel', id: 'never' }, { code: 'unknown_id', param: 'id' }],
  ])('refuses %s, and goes on', async (_what, message, error) => {
    const client = await open();
    client.send(message);
    const refused = await client.find(({ type }) => type === 'refused');
    expect(refused.error).toMatchObject({ message: expect.any(String), ...error });
    client.send({ type: 'completion', id: 'after', prompt: 'a', max_tokens: 2 });
    expect(await client.end('after')).toMatchObject({ type: 'done' });
  });

  it.each<[string, object, object]>([
    ['an unknown model', { type: 'completion', prompt: 'a', model: 'none' }, { code: 'model_not_found' }],
    [
      'a prompt over the context',
      { type: 'completion', prompt: 'a'.repeat(9000) },
      { code: 'context_length_exceeded' },
    ],
    [
      'a bad grammar',
      { type: 'completion', prompt: 'a', grammar: 'root ::= (' },
      { code: 'invalid_grammar' },
    ],
    [
      'a part that is no text',
      { type: 'chat', messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      { code: 'unsupported_content', param: 'messages[0].content[0]' },
    ],
  ])('ends a generation with an error for %s', async (_what, message, error) => {
    const client = await open();
    client.send({ ...message, id: 'bad' });
    expect(await client.end('bad')).toMatchObject({ type: 'error', error, request_id: expect.any(String) });
    await tiny.becomesIdle();
  });

  it('refuses an id that is in use, without a change to the generation that has it', async () => {
    const client = await open();
    client.send({ ...endless, id: 'same' });
    client.send({ ...endless, id: 'same' });
    expect(await client.end('same')).toMatchObject({ type: 'refused', error: { code: 'duplicate_id' } });
    const before = client.text('same').length;
    await client.find(() => client.text('same').length > before);
    client.send({ type: 'cancel', id: 'same' });
    await client.find(({ type, finish_reason }) => type === 'done' && finish_reason === 'cancelled');
    client.send({ type: 'completion', id: 'same', prompt: 'a', max_tokens: 2 });
    await client.find(({ finish_reason }) => finish_reason === 'length');
    await tiny.becomesIdle();
  });

  it('refuses more generations than a connection may have', async () => {
    const client = await open();
    for (let index = 0; index < 65; index++) client.send({ ...endless, id: `n${index}` });
    const refused = await client.find(({ type }) => type === 'refused');
    expect(refused).toMatchObject({ id: 'n64', error: { code: 'too_many_generations' } });
    client.socket.close();
    await tiny.becomesIdle();
  });

  it('refuses binary messages, and closes for frames that are too large or are no text', async () => {
    const client = await open();
    client.socket.send(Buffer.from([0, 255, 1, 254]));
    expect(await client.find(({ type }) => type === 'refused')).toMatchObject({
      error: { code: 'binary_message' },
    });
    client.send({ ...endless, id: 'going' });
    await client.find(({ type }) => type === 'delta');
    client.send({ type: 'ping', id: 'x'.repeat(300_000) });
    expect(await client.closed).toBe(1009);
    await tiny.becomesIdle();

    const other = await open();
    other.socket.send(Buffer.from([0xff, 0xfe, 0xfd]), { binary: false });
    expect(await other.closed).toBe(1007);
  });

  it('survives bytes that are no WebSocket frames', async () => {
    const client = await open();
    const { hostname, port } = new URL(tiny.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(
      'GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await new Promise((resolve) => socket.once('data', resolve));
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.write(Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 89) % 256)));
    await gone;
    client.send({ type: 'ping' });
    await client.find(({ type }) => type === 'pong');
  });

  it('cancels everything when the client vanishes', async () => {
    const client = await open();
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'])
      client.send({ ...endless, id, prompt: id });
    await client.find(({ type }) => type === 'delta');
    client.socket.terminate();
    await tiny.becomesIdle();
  });

  it('pauses for a client that reads slowly, and sends all of it in the end', async () => {
    const client = await open();
    client.socket.pause();
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids)
      client.send({ type: 'completion', id, prompt: id, max_tokens: 200, temperature: 0 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.socket.resume();
    for (const id of ids) expect(await client.end(id)).toMatchObject({ type: 'done' });
  });

  it('gives up a client that reads nothing', async () => {
    const client = await open();
    client.send({ ...endless, id: 'going' });
    await client.find(({ type }) => type === 'delta');
    client.socket.pause();
    // More answers than the buffers of the system hold.
    const ping = JSON.stringify({ type: 'ping', id: 'x'.repeat(128) });
    for (let index = 0; index < 100_000; index++) client.socket.send(ping);
    await tiny.becomesIdle();
    client.socket.resume();
    expect(await client.closed).toBe(1006);
  });

  it('answers an upgrade elsewhere, and a plain request here, and keeps no socket', async () => {
    expect((await fetch(`${tiny.url}/v1/stream`)).status).toBe(404);
    const { hostname, port } = new URL(tiny.url);
    for (const path of ['/models', '/nowhere']) {
      const socket = connect(Number(port), hostname);
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      socket.on('data', () => {});
      await new Promise((resolve) => socket.once('close', resolve));
    }
  });
});

describe('a server that closes', () => {
  it('lets short generations end, ends long ones, and closes with 1001', async () => {
    const tiny = await startTinyServer({ shutdownTimeoutMs: 3000, load: { contextSize: 8192 } });
    const client = await StreamClient.open(tiny.url);
    const idle = await StreamClient.open(tiny.url);
    client.send({ type: 'completion', id: 'short', prompt: 'a', max_tokens: 3 });
    client.send({ ...endless, id: 'long' });
    await client.find(({ id, type }) => id === 'long' && type === 'delta');
    const closed = tiny.close();
    expect(await client.end('short')).toMatchObject({ type: 'done' });
    const end = await client.end('long');
    // A fast machine reaches the end of the context in that time.
    expect(end.type === 'error' ? end.error : end).toMatchObject(
      end.type === 'error' ? { code: 'shutting_down' } : { finish_reason: 'length' },
    );
    expect(await client.closed).toBe(1001);
    expect(await idle.closed).toBe(1001);
    await closed;
  });
});

describe('a WebSocket of a server with keys and rates', () => {
  it('is refused without a key and to pages of other origins, and starts only so many generations in a minute', async () => {
    const tiny = await startTinyServer({ apiKeys: ['secret-of-tests'], requestsPerMinute: 3 });
    onTestFinished(() => tiny.close());
    await expect(StreamClient.open(tiny.url)).rejects.toThrow('401');
    const authorization = 'Bearer secret-of-tests';
    const foreign = { authorization, origin: 'https://example.org' };
    await expect(StreamClient.open(tiny.url, { headers: foreign })).rejects.toThrow('403');
    const client = await StreamClient.open(tiny.url, { headers: { authorization } });
    for (const id of ['a', 'b', 'c', 'd'])
      client.send({ type: 'completion', id, prompt: 'a', max_tokens: 2 });
    expect(await client.end('d')).toMatchObject({
      type: 'refused',
      error: { code: 'rate_limit_exceeded', retry_after: expect.any(Number) },
    });
    for (const id of ['a', 'b', 'c']) expect(await client.end(id)).toMatchObject({ type: 'done' });
  });
});

import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../helpers/test-server.js';
import {
  endlessChat,
  makeTinyModel,
  metricsOf,
  RawConnection,
  startTinyServer,
  untilRest,
} from '../helpers/tiny-server.js';

const chats = '/v1/chat/completions';
const shortChat = { ...endlessChat, stream: false, max_tokens: 2 };

let started: TestServer;
let directory: string;
beforeAll(async () => {
  const tiny = await makeTinyModel();
  ({ directory } = tiny);
  started = await startTestServer({
    models: [{ source: tiny.path, name: 'tiny' }],
    load: { contextSize: 2048, threads: 1, sequences: 2 },
  });
  await started.server.models.load('tiny');
});
afterAll(async () => {
  await started.server.close();
  await rm(directory, { recursive: true });
});
// Whatever was sent, the next one is answered, and nothing is held.
afterEach(async () => {
  expect((await started.post(chats, shortChat)).status).toBe(200);
  await untilRest(started);
});

function postBytes(
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  path = chats,
): Promise<Response> {
  return fetch(`${started.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body as never,
  });
}

async function codeOf(response: Response): Promise<unknown> {
  const { error, code } = (await response.json()) as { error: { code?: string } | string; code?: string };
  return code ?? (typeof error === 'string' ? undefined : error.code);
}

describe('a body', () => {
  it.each([
    ['nothing', ''],
    ['half an object', '{"model":'],
    ['what is no JSON', 'model=tiny'],
    ['two objects', '{}{}'],
    ['a text that does not end', '{"model":"tiny'],
    ['a prototype', '{"__proto__":{"isAdmin":true},"messages":[]}'],
    ['a constructor', '{"constructor":{"prototype":{"isAdmin":true}},"messages":[]}'],
    ['zero bytes', '\0\0\0\0'],
    ['a number', '17'],
    ['null', 'null'],
    ['a list', '[]'],
  ])('of %s is refused with 400', async (_, body) => {
    for (const path of [chats, '/generate', '/models/load', '/v1/completions', '/v1/embeddings']) {
      const response = await postBytes(body, {}, path);
      expect([path, response.status]).toEqual([path, 400]);
      expect(await response.json()).toHaveProperty('error');
    }
  });

  it.each([
    ['messages', { messages: 'Hi' }],
    ['messages', { messages: {} }],
    ['messages', { messages: [5] }],
    ['messages', { messages: [{ role: 'user', content: 7 }] }],
    ['max_tokens', { max_tokens: 'many' }],
    ['max_tokens', { max_tokens: -1 }],
    ['max_tokens', { max_tokens: 1e300 }],
    ['temperature', { temperature: {} }],
    ['stop', { stop: { a: 1 } }],
    ['stream', { stream: 'yes' }],
    ['tools', { tools: 5 }],
    ['model', { model: {} }],
  ])('with %s of a wrong kind is refused with 400 that names it', async (name, wrong) => {
    const response = await started.post(chats, { ...shortChat, ...wrong });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: { param: string } }).error.param).toMatch(
      new RegExp(`^${name}`),
    );
  });

  it('of another kind of content is refused with 415', async () => {
    for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'nonsense']) {
      expect((await postBytes('a=b', { 'content-type': type })).status).toBe(415);
    }
  });

  it('nested a hundred thousand times is refused, wherever it is', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    for (const body of [
      deep,
      `{"model":"tiny","messages":${deep}}`,
      `{"x":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_001)}`,
    ]) {
      const response = await postBytes(body);
      expect([response.status, await codeOf(response)]).toEqual([400, 'nested_too_deeply']);
    }
  });

  it('that is no UTF-8 is refused', async () => {
    const bytes = Buffer.from('{"model":"tiny","messages":[{"role":"user","content":"\xff\xfe"}]}', 'latin1');
    const response = await postBytes(bytes);
    expect([response.status, await codeOf(response)]).toEqual([400, 'invalid_utf8']);
  });

  it('of 50 MB is refused with 413, before any of it is read', async () => {
    const body = Buffer.alloc(50e6, 0x20);
    for (let round = 0; round < 3; round++) expect((await postBytes(body)).status).toBe(413);
    const connection = await RawConnection.open(started.url);
    const head = 'host: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 50000000';
    connection.socket.write(`POST ${chats} HTTP/1.1\r\n${head}\r\n\r\n`);
    await connection.closed;
    expect(connection.received).toMatch(/^HTTP\/1.1 413 /);
  });

  it('of 50 MB whose length nobody told is refused with 413 when it is too much', async () => {
    async function* pieces() {
      for (let count = 0; count < 500; count++) yield Buffer.alloc(100_000, 0x20);
    }
    const response = await fetch(`${started.url}${chats}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: ReadableStream.from(pieces()) as unknown as never,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
  });

  it('with a prompt that is far too long is refused with both numbers', async () => {
    const response = await started.post(chats, {
      ...shortChat,
      messages: [{ role: 'user', content: 'a word '.repeat(40_000) }],
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/2800\d\d .*2048|2048.* 2800\d\d/);
  });
});

describe('a connection', () => {
  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['a version that there is not', 'GET / HTTP/9.9\r\nhost: a\r\n\r\n', 400],
    ['no host', 'GET /models HTTP/1.1\r\n\r\n', 400],
    ['headers that are too large', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, 431],
    [
      'two lengths',
      'POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}',
      400,
    ],
    [
      'a length and chunks',
      'POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a negative length', 'POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n', 400],
    [
      'a bad chunk',
      'POST /generate HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
  ])('with %s is answered and ended', async (_, text, status) => {
    const connection = await RawConnection.open(started.url);
    connection.socket.write(Buffer.from(text, 'latin1'));
    await connection.closed;
    expect(connection.received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(connection.received).toMatch(/\{"error":"[^"]+","code":"[a-z_]+"\}$|\{"error":|^HTTP\/1.1 400/);
  });

  it.each([
    ['headers', 'POST /generate HTTP/1.1\r\nhost: a\r\nx-slow:'],
    [
      'a body',
      'POST /generate HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    ],
    ['nothing at all', ''],
  ])('that sends %s byte by byte is ended in time', async (_, text) => {
    const impatient = await startTinyServer({ receiveTimeoutMs: 400 });
    const connection = await RawConnection.open(impatient.url);
    connection.socket.write(text);
    const drip = setInterval(() => text !== '' && connection.socket.write('a'), 50);
    const begin = performance.now();
    await connection.closed;
    clearInterval(drip);
    expect(performance.now() - begin).toBeLessThan(10_000);
    if (text !== '') expect(connection.received).toMatch(/^HTTP\/1.1 408 /);
  });

  it('of HTTP/1.0 is answered, streams too, and ended', async () => {
    for (const stream of [false, true]) {
      const connection = await RawConnection.open(started.url);
      const body = JSON.stringify({ ...shortChat, stream });
      connection.socket.write(
        `POST ${chats} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await connection.closed;
      expect(connection.received).toMatch(/^HTTP\/1.1 200 /);
      expect(connection.received).not.toMatch(/transfer-encoding/i);
      expect(connection.received).toContain(stream ? 'data: [DONE]' : '"finish_reason"');
    }
  });

  it('with requests sent behind each other is answered in their order', async () => {
    const connection = await RawConnection.open(started.url);
    connection.post(chats, { ...shortChat, stream: true });
    connection.post(chats, { ...shortChat, messages: 5 });
    connection.post('/generate', { prompt: 'Hi', max_tokens: 1 });
    connection.socket.write('GET /nothing HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
    await connection.closed;
    const statuses = [...connection.received.matchAll(/HTTP\/1.1 (\d+) /g)].map(([, status]) => status);
    expect(statuses).toEqual(['200', '400', '200', '404']);
    expect(connection.received.indexOf('[DONE]')).toBeLessThan(connection.received.indexOf('generated_text'));
  });

  it('with garbage behind a request that is answered ends without mixing them', async () => {
    const connection = await RawConnection.open(started.url);
    connection.post(chats, { ...endlessChat, max_tokens: 1000 });
    await connection.until('data: ');
    connection.socket.write('this is no request\r\n\r\n');
    await connection.closed;
    expect(connection.received.match(/HTTP\/1.1/g)).toHaveLength(1);
    expect((await metricsOf(started)).waiting).toBe(0);
  });
});

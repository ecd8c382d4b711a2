import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';

const key = 'secret-of-tests';

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A request with headers that `fetch` does not let through, such as `host`. */
function ask(url: string, options: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https') ? httpsRequest : httpRequest;
    const sent = send(url, options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode, body, headers: response.headers }));
    });
    sent.on('error', reject).end();
  });
}

describe('a server with keys', () => {
  let started: TestServer;
  beforeAll(async () => {
    const apiKeys = [
      { key, name: 'reader', admin: false },
      { key: `${key}-admin`, name: 'operator', admin: true },
    ];
    started = await startTestServer({ apiKeys });
  });
  afterAll(() => started.server.close());

  it('lets in who shows one of them', async () => {
    const shown = { authorization: `Bearer ${key}` };
    expect((await fetch(`${started.url}/models`, { headers: shown })).status).toBe(200);
    expect((await fetch(`${started.url}/models`, { headers: { 'x-api-key': key } })).status).toBe(200);
  });

  it('answers 401 to all others, before it reads what they send', async () => {
    const response = await started.post('/generate', '{ not json', { authorization: 'Bearer wrong-key' });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.json()).toMatchObject({ code: 'invalid_api_key' });
  });

  it('shows its description to everybody', async () => {
    expect((await fetch(`${started.url}/docs/json`)).status).toBe(200);
  });

  it('keeps a limit of requests in a minute for each key', async () => {
    const limited = await startServerForTest({
      apiKeys: [key, `${key}-2`],
      requestsPerMinute: 2,
    });
    const statuses: number[] = [];
    for (const shown of [key, key, key, `${key}-2`]) {
      const response = await fetch(`${limited.url}/models`, {
        headers: { authorization: `Bearer ${shown}` },
      });
      statuses.push(response.status);
      if (response.status === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(statuses).toEqual([200, 200, 429, 200]);
  });
});

describe('a server on this machine', () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer({ allowedOrigins: ['https://friend.example'] });
  });
  afterAll(() => started.server.close());

  it('does not answer to a foreign name that leads to it', async () => {
    const { status, body } = await ask(`${started.url}/models`, { headers: { host: 'evil.example' } });
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ code: 'host_not_allowed' });
  });

  it('does not answer to foreign pages', async () => {
    const { status, headers } = await ask(`${started.url}/models`, {
      headers: { origin: 'https://evil.example' },
    });
    expect(status).toBe(403);
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it('answers to pages that are allowed, and to what their browsers ask first', async () => {
    const origin = 'https://friend.example';
    const answer = await ask(`${started.url}/models`, { headers: { origin } });
    expect(answer).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': origin } });
    const asked = await ask(`${started.url}/generate`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    expect(asked).toMatchObject({ status: 204, headers: { 'access-control-allow-origin': origin } });
  });
});

describe('the address', () => {
  it('may be a unix socket that only its user reaches', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'llama-native-socket-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const unixSocket = join(folder, 'server.sock');
    await startServerForTest({ unixSocket });
    expect((await stat(unixSocket)).mode & 0o777).toBe(0o600);
    const { status } = await ask('http://localhost/models', { socketPath: unixSocket });
    expect(status).toBe(200);
    await expect(startTestServer({ unixSocket })).rejects.toMatchObject({ code: 'SERVER_START_FAILED' });
  });

  it('is never made room for by deleting a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'llama-native-socket-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'letter.txt');
    await writeFile(file, 'dear');
    await expect(startTestServer({ unixSocket: file })).rejects.toMatchObject({
      code: 'SERVER_START_FAILED',
    });
    expect(await readFile(file, 'utf8')).toBe('dear');
  });

  it('that is taken is told of with a way out', async () => {
    const { url } = await startServerForTest();
    await expect(startTestServer({ port: Number(new URL(url).port) })).rejects.toMatchObject({
      code: 'SERVER_START_FAILED',
      message: expect.stringContaining('--port'),
    });
  });

  it('may speak TLS', async () => {
    const read = (name: string) => readFile(new URL(`../../fixtures/${name}.pem`, import.meta.url));
    const tls = { key: await read('tls-test-key'), certificate: await read('tls-test-certificate') };
    const { url } = await startServerForTest({ tls });
    expect(url).toMatch(/^https:/);
    const { status } = await ask(`${url}/models`, { ca: tls.certificate });
    expect(status).toBe(200);
  });
});

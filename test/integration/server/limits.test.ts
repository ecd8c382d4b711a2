import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  endlessChat,
  metricsOf,
  RawConnection,
  startTinyServer,
  untilRest,
} from '../../helpers/tiny-server.js';

const chats = '/v1/chat/completions';
const shortChat = { ...endlessChat, max_tokens: 3, stream: false };

/** Begins a stream and waits for its first token. */
async function beginStream(url: string, body: object = endlessChat): Promise<RawConnection> {
  const connection = await RawConnection.open(url);
  connection.post(chats, body);
  await connection.until('data: ');
  return connection;
}

describe('a client that goes away', () => {
  it('while its answer is streamed stops it within a step', async () => {
    const started = await startTinyServer({ load: { contextSize: 200_000 } });
    const connection = await beginStream(started.url);
    expect((await metricsOf(started)).running).toBe(1);
    connection.socket.destroy();
    await untilRest(started, 2);
  });

  it('while it waits for a sequence is forgotten, and others get it', async () => {
    const started = await startTinyServer({ load: { contextSize: 200_000, sequences: 1 } });
    const first = await beginStream(started.url);
    const second = await RawConnection.open(started.url);
    second.post(chats, endlessChat);
    await expect.poll(async () => (await metricsOf(started)).waiting).toBe(1);
    second.socket.destroy();
    await expect.poll(async () => (await metricsOf(started)).waiting).toBe(0);
    expect((await metricsOf(started)).running).toBe(1);
    first.socket.destroy();
    await untilRest(started, 2);
  });

  it('while its prompt is read stops that', async () => {
    const started = await startTinyServer({ load: { contextSize: 40_000, batchSize: 16 } });
    const connection = await RawConnection.open(started.url);
    const content = 'a long prompt, '.repeat(2500);
    connection.post(chats, { ...endlessChat, messages: [{ role: 'user', content }] });
    await expect.poll(async () => (await metricsOf(started)).steps, { interval: 1 }).toBeGreaterThan(3);
    connection.socket.destroy();
    await untilRest(started, 2);
    const { steps } = await metricsOf(started);
    expect(steps).toBeLessThan(37_500 / 16);
    await delay(50);
    expect((await metricsOf(started)).steps).toBe(steps);
  });

  it('while its model is loading waits for it no more, and the model is loaded', async () => {
    const started = await startTinyServer();
    await started.server.models.unload('tiny');
    const connection = await RawConnection.open(started.url);
    connection.post(chats, endlessChat);
    await expect.poll(() => started.server.models.find('tiny').inFlight, { interval: 1 }).toBe(1);
    expect(started.server.models.find('tiny').state).toBe('loading');
    connection.socket.destroy();
    await expect.poll(() => started.server.models.find('tiny').inFlight).toBe(0);
    await expect.poll(() => started.server.models.find('tiny').state).toBe('ready');
    await untilRest(started);
  });

  it('with requests that wait behind another one on its connection takes all of them along', async () => {
    const started = await startTinyServer({ load: { contextSize: 200_000, sequences: 3 } });
    const connection = await RawConnection.open(started.url);
    for (let count = 0; count < 3; count++) connection.post(chats, endlessChat);
    await expect.poll(async () => (await metricsOf(started)).running).toBe(3);
    connection.socket.destroy();
    await untilRest(started, 2);
  });
});

describe('a request that takes too long', () => {
  it('is answered 504', async () => {
    const started = await startTinyServer({ requestTimeoutMs: 300, load: { contextSize: 200_000 } });
    const response = await started.post(chats, { ...endlessChat, stream: false });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ error: { code: 'timeout' } });
    await untilRest(started);
  });

  it('says so in its last event where it is streamed', async () => {
    const started = await startTinyServer({ requestTimeoutMs: 300, load: { contextSize: 200_000 } });
    const response = await started.post(chats, endlessChat);
    expect(response.status).toBe(200);
    const events = (await response.text()).trim().split('\n\n');
    expect(events.length).toBeGreaterThan(3);
    expect(JSON.parse(events.at(-1)?.replace('data: ', '') ?? '')).toMatchObject({
      error: { code: 'timeout' },
    });
    await untilRest(started);
  });
});

describe('more requests than there may be', () => {
  it('of a model are told when to come back, and those that wait are answered', async () => {
    const started = await startTinyServer({ queueLimit: 2, load: { contextSize: 200_000, sequences: 1 } });
    const running = await beginStream(started.url);
    const waiting = [started.post(chats, shortChat), started.post(chats, shortChat)];
    await expect.poll(() => started.server.models.find('tiny').inFlight).toBe(3);
    const refused = await started.post(chats, shortChat);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ error: { code: 'queue_full' } });
    running.socket.destroy();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200]);
  });

  it('of a key are refused, and other keys go on', async () => {
    const started = await startTinyServer({
      apiKeys: [
        { key: 'key-of-one', name: 'one', concurrency: 1 },
        { key: 'key-of-two', name: 'two' },
      ],
      requestsPerKey: 2,
      load: { contextSize: 200_000, sequences: 8 },
    });
    const asOne = { authorization: 'Bearer key-of-one' };
    const asTwo = { authorization: 'Bearer key-of-two' };
    const first = await started.post(chats, endlessChat, asOne);
    const refused = await started.post(chats, shortChat, asOne);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ error: { code: 'too_many_requests' } });
    const others = await Promise.all([
      started.post(chats, endlessChat, asTwo),
      started.post(chats, shortChat, asTwo),
    ]);
    expect(others.map(({ status }) => status)).toEqual([200, 200]);
    await first.body?.cancel();
    await expect.poll(async () => (await started.post(chats, shortChat, asOne)).status).toBe(200);
    await others[0].body?.cancel();
    await untilRest(started);
  });
});

describe('a client that reads nothing', () => {
  it('is given up after a while, and its sequence is free', async () => {
    // The buffers of a unix socket are small, so that the server soon notices.
    const unixSocket = join(tmpdir(), `slow-${randomUUID()}.sock`);
    const started = await startTinyServer({
      unixSocket,
      slowReaderTimeoutMs: 300,
      load: { contextSize: 60_000 },
    });
    const connection = await RawConnection.open(unixSocket);
    connection.socket.pause();
    connection.post(chats, { ...endlessChat, logprobs: true, top_logprobs: 5 });
    await expect.poll(async () => (await metricsOf(started)).running).toBe(1);
    await untilRest(started, 45);
    expect((await metricsOf(started)).residentTokens).toBeLessThan(60_000);
    connection.socket.resume();
    await connection.closed;
    expect(connection.received).not.toContain('[DONE]');
  });
});

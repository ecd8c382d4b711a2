import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createServer } from '../../../lib/server/index.js';
import { childrenOf } from '../../helpers/engine-crashes.js';
import { countHoldings, settleHoldings } from '../../helpers/process-figures.js';
import {
  endlessChat,
  makeTinyModel,
  metricsOf,
  RawConnection,
  startTinyServer,
} from '../../helpers/tiny-server.js';

const chats = '/v1/chat/completions';
const long = { load: { contextSize: 200_000 } };

function chunksOf(text: string): string[] {
  return text.split('\n\n').filter((event) => event.startsWith('data: '));
}

describe('a server that closes', () => {
  it('finishes what runs, and lets nobody in any more', async () => {
    const started = await startTinyServer({ ...long, shutdownTimeoutMs: 60_000 });
    const stream = started.post(chats, { ...endlessChat, max_tokens: 400 });
    const whole = started.post(chats, { ...endlessChat, stream: false, max_tokens: 400 });
    await expect.poll(() => started.server.models.find('tiny').inFlight, { interval: 1 }).toBe(2);
    const closing = started.server.close();
    await delay(5);
    await expect(started.post(chats, endlessChat)).rejects.toThrow();
    const text = await (await stream).text();
    expect(chunksOf(text).at(-1)).toBe('data: [DONE]');
    expect(((await (await whole).json()) as { usage: object }).usage).toMatchObject({
      completion_tokens: 400,
    });
    await closing;
    expect(started.server.models.find('tiny').state).toBe('unloaded');
  });

  it('ends what takes too long: a stream with an event that says so, another answer with 503', async () => {
    const started = await startTinyServer({ ...long, shutdownTimeoutMs: 100 });
    const stream = await started.post(chats, endlessChat);
    const whole = started.post(chats, { ...endlessChat, stream: false });
    await expect.poll(async () => (await metricsOf(started)).running).toBe(2);
    const [text, refused] = await Promise.all([stream.text(), whole, started.server.close()]);
    const [event = ''] = chunksOf(text).slice(-1);
    expect(JSON.parse(event.replace('data: ', ''))).toMatchObject({ error: { code: 'shutting_down' } });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect(refused.headers.get('connection')).toBe('close');
  });

  it('refuses with 503 what comes on connections that are open', async () => {
    const started = await startTinyServer({ ...long, shutdownTimeoutMs: 60_000 });
    const idle = await RawConnection.open(started.url);
    const probe = await RawConnection.open(started.url);
    const running = await started.post(chats, { ...endlessChat, max_tokens: 2000 });
    const closing = started.server.close();
    await delay(5);
    probe.socket.write('GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    await probe.until('"status":"closing"');
    expect(probe.received).toMatch(/^HTTP\/1.1 503/);
    idle.post(chats, endlessChat);
    await idle.until('shutting_down');
    expect(idle.received).toMatch(/^HTTP\/1.1 503.*connection: close/is);
    await idle.closed;
    expect(chunksOf(await running.text()).at(-1)).toBe('data: [DONE]');
    await closing;
  });

  it('does not wait for connections that are idle, half a request, or a feed of events', async () => {
    const started = await startTinyServer({ shutdownTimeoutMs: 60_000 });
    const idle = await RawConnection.open(started.url);
    const used = await RawConnection.open(started.url);
    used.socket.write('GET /models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    await used.until('default_model');
    const half = await RawConnection.open(started.url);
    half.socket.write(
      'POST /generate HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    );
    const feed = await fetch(`${started.url}/models/events`);
    const begin = performance.now();
    const [text] = await Promise.all([feed.text(), started.server.close()]);
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(text).toContain('event: model');
    await Promise.all([idle, used, half].map(({ closed }) => closed));
  });

  it('stops a load, and tells who waits for it', async () => {
    const started = await startTinyServer({ shutdownTimeoutMs: 0 });
    await started.server.models.unload('tiny');
    const waiting = started.post(chats, endlessChat);
    await expect.poll(() => started.server.models.find('tiny').state, { interval: 1 }).toBe('loading');
    await started.server.close();
    expect([200, 503]).toContain((await waiting).status); // it may have been loaded just in time
    expect(started.server.models.find('tiny').state).toBe('unloaded');
  });

  it('twice, or while it begins to listen, waits for the same end', async () => {
    const { path, directory } = await makeTinyModel();
    onTestFinished(() => rm(directory, { recursive: true }));
    const server = await createServer({
      models: [path],
      port: 0,
      load: { isolate: false, contextSize: 512 },
    });
    const listening = server.listen();
    const closings = [server.close(), server.close()];
    const { url } = await listening;
    expect(closings[0]).toBe(closings[1]);
    await Promise.all(closings);
    await expect(fetch(url)).rejects.toThrow();
    await server.close();
  });

  it('that never listened closes too', async () => {
    const server = await createServer({ models: [], port: 0 });
    await server.close();
  });

  it('leaves no process, no connection and no file', async () => {
    const { path, directory } = await makeTinyModel();
    onTestFinished(() => rm(directory, { recursive: true }));
    const run = async () => {
      const server = await createServer({
        models: [{ source: path, name: 'tiny' }],
        port: 0,
        shutdownTimeoutMs: 50,
        load: { contextSize: 200_000, threads: 1 },
      });
      const { url } = await server.listen();
      await server.models.load('tiny');
      expect(childrenOf()).toHaveLength(1);
      const connection = await RawConnection.open(url);
      connection.post(chats, endlessChat);
      await connection.until('data: ');
      await server.close();
      await connection.closed;
    };
    await run(); // what is made with the first one stays
    const before = await countHoldings();
    await run();
    expect(childrenOf()).toEqual([]);
    const now = await settleHoldings(before);
    expect(now.files).toBeLessThanOrEqual(before.files);
    expect(now.threads).toBeLessThanOrEqual(before.threads);
  });
});

import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { residentMegabytes } from '../helpers/process-figures.js';
import { startTestServer, type TestServer } from '../helpers/test-server.js';
import { endlessChat, makeTinyModel, metricsOf, RawConnection, untilRest } from '../helpers/tiny-server.js';

const chats = '/v1/chat/completions';
const thousand = 1000;

let started: TestServer;
let directory: string;
beforeAll(async () => {
  const tiny = await makeTinyModel();
  ({ directory } = tiny);
  started = await startTestServer({
    models: [{ source: tiny.path, name: 'tiny' }],
    queueLimit: 2 * thousand,
    load: { contextSize: 200_000, threads: 1, sequences: 1 },
  });
  await started.server.models.load('tiny');
});
afterAll(async () => {
  await started.server.close();
  await rm(directory, { recursive: true });
});

/** Opens a thousand connections, and begins with each as soon as it is there. */
function openThousand(begin: (connection: RawConnection) => void): Promise<RawConnection[]> {
  const open = async () => {
    const connection = await RawConnection.open(started.url);
    begin(connection);
    return connection;
  };
  return Promise.all(Array.from({ length: thousand }, open));
}

async function expectItGoesOn(): Promise<void> {
  await untilRest(started, 60);
  const response = await started.post(chats, { ...endlessChat, stream: false, max_tokens: 2 });
  expect(response.status).toBe(200);
}

describe('a thousand connections', () => {
  it('that are opened and dropped leave nothing behind', async () => {
    for (const what of ['', 'POST /generate HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n{']) {
      const connections = await openThousand(({ socket }) => socket.write(what));
      for (const [index, { socket }] of connections.entries()) {
        if (index % 2 === 0) socket.destroy();
        else socket.resetAndDestroy();
      }
      await Promise.all(connections.map(({ closed }) => closed));
      await expectItGoesOn();
    }
  });

  it('may wait for events at once, for little memory, and all hear of them', async () => {
    const before = await residentMegabytes();
    const connections = await openThousand(({ socket }) =>
      socket.write('GET /models/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'),
    );
    await Promise.all(connections.map((connection) => connection.until('"state":"ready"', 60_000)));
    // Those of the clients, which are here too, are among it.
    expect((await residentMegabytes()) - before).toBeLessThan(200);
    await started.server.models.unload('tiny');
    await Promise.all(connections.map((connection) => connection.until('"state":"unloaded"', 60_000)));
    await started.server.models.load('tiny');
    for (const { socket } of connections) socket.destroy();
    await expect
      .poll(() => started.server.models.listenerCount('change'), { timeout: 20_000 })
      .toBeLessThan(10);
    await expectItGoesOn();
  }, 180_000);

  it('may wait for their turn at once, and are forgotten when they go', async () => {
    const first = await RawConnection.open(started.url);
    first.post(chats, endlessChat);
    await first.until('data: ');
    const short = { ...endlessChat, max_tokens: 3 };
    const connections = await openThousand((connection) => connection.post(chats, short));
    await expect
      .poll(async () => (await metricsOf(started)).waiting, { timeout: 60_000, interval: 50 })
      .toBe(thousand);
    // The server still answers others, in no time to speak of.
    const begin = performance.now();
    expect((await fetch(`${started.url}/health`)).status).toBe(200);
    expect(performance.now() - begin).toBeLessThan(5000);
    for (const { socket } of connections) socket.destroy();
    await expect.poll(async () => (await metricsOf(started)).waiting, { timeout: 60_000 }).toBe(0);
    expect((await metricsOf(started)).running).toBe(1);
    first.socket.destroy();
    await expectItGoesOn();
  }, 180_000);

  it('that vanish in the middle of their streams leave every sequence free', async () => {
    let left = thousand;
    const lane = async () => {
      while (left-- > 0) {
        const connection = await RawConnection.open(started.url);
        connection.post(chats, endlessChat);
        if (left % 3 === 0) await connection.until('data: ', 60_000);
        else await delay(left % 7);
        connection.socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: 50 }, lane));
    await expectItGoesOn();
  }, 180_000);
});

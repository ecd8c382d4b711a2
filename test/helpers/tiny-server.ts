/** Servers of a model that answers at once and says nothing. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { ModelMetrics } from '../../lib/index.js';
import type { ServerOptions } from '../../lib/server/index.js';
import { startTestServer, type TestServer } from './test-server.js';
import { writeTinyGenerator } from './tiny-generator.js';

/** Writes the model. @returns its path, and the folder that is to be removed. */
export async function makeTinyModel(): Promise<{ path: string; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'server-'));
  const path = join(directory, 'tiny.gguf');
  await writeTinyGenerator(path);
  return { path, directory };
}

/** A server with the tiny model as `tiny`, which is loaded already. All of it is gone after the test. */
export async function startTinyServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const { path, directory } = await makeTinyModel();
  const started = await startTestServer({
    models: [{ source: path, name: 'tiny' }],
    ...options,
    load: { contextSize: 8192, threads: 1, sequences: 2, ...options.load },
  });
  onTestFinished(async () => {
    await started.server.close();
    await rm(directory, { recursive: true });
  });
  await started.server.models.load('tiny');
  return started;
}

/** A chat that goes on for as long as the context lasts. */
export const endlessChat = {
  model: 'tiny',
  messages: [{ role: 'user', content: 'Go on.' }],
  stream: true,
  max_tokens: 1_000_000,
  ignore_eos: true,
} as const;

/** The metrics of the tiny model's engine. */
export async function metricsOf({ server }: TestServer, name = 'tiny'): Promise<ModelMetrics> {
  const { model } = server.models.find(name);
  if (model === undefined) throw new Error(`The model ${name} is not loaded.`);
  return model.metrics();
}

/** Waits until no sequence runs and no request waits; fails after some seconds. */
export async function untilRest(started: TestServer, seconds = 10): Promise<void> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const { running, waiting } = await metricsOf(started);
    const { inFlight } = started.server.models.find('tiny');
    if (running === 0 && waiting === 0 && inFlight === 0) return;
    if (performance.now() > end)
      throw new Error(`Still ${running} run, ${waiting} wait, ${inFlight} are in flight.`);
    await delay(10);
  }
}

/** What a raw connection received, and how it ended. */
export class RawConnection {
  received = '';
  isClosed = false;
  readonly closed: Promise<void>;

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  /** Connects to a server's address or the path of its socket. */
  static async open(url: string): Promise<RawConnection> {
    const socket = url.startsWith('http') ? connect(Number(new URL(url).port), '127.0.0.1') : connect(url);
    const connection = new RawConnection(socket);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return connection;
  }

  /** Sends a request with a body, and more behind it. */
  post(path: string, body: unknown, headers = ''): void {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const length = Buffer.byteLength(text);
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${length}`;
    this.socket.write(`${head}\r\n${headers}\r\n${text}`);
  }

  /** Waits until the text has been received. */
  until(text: string, milliseconds = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.socket.off('data', look).off('close', give);
        finish();
      };
      const look = () => this.received.includes(text) && settle(resolve);
      const give = () =>
        settle(() => reject(new Error(`Expected ${text}; received ${this.received.slice(-500)}`)));
      const timer = setTimeout(give, milliseconds);
      this.socket.on('data', look).on('close', give);
      if (this.isClosed) give();
      look();
    });
  }
}

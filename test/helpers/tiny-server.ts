import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelMetrics } from '../../lib/index.js';
import type { ServerOptions } from '../../lib/server/index.js';
import { startTestServer, type TestServer } from './test-server.js';
import { writeTinyGenerator } from './tiny-generator.js';

/** A running server with a model that makes thousands of tokens a second, and answers without end where it may. */
export interface TinyServer extends TestServer {
  /** Folder of the model's file; gone when the server is closed. */
  readonly folder: string;
  /** The model's counts; loads it if it is not there. */
  readonly metrics: () => Promise<ModelMetrics>;
  /** Waits until nothing runs or waits in the engine, and no request is counted as under way. */
  readonly becomesIdle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const patienceMs = 20_000;

/** Starts a server with the tiny generator under the name `tiny`. */
export async function startTinyServer(options: Partial<ServerOptions> = {}): Promise<TinyServer> {
  const folder = await mkdtemp(join(tmpdir(), 'llama-native-tiny-server-'));
  const path = join(folder, 'tiny.gguf');
  await writeTinyGenerator(path);
  const started = await startTestServer({
    models: [{ source: path, name: 'tiny' }],
    ...options,
    // A step is shorter than a second thread would take to join in.
    load: { threads: 1, ...options.load },
  });
  const { server } = started;
  const metrics = async () => {
    const { name } = server.models.find('tiny');
    await server.models.load(name);
    const { model } = server.models.find(name);
    if (model === undefined) throw new Error('the model is not loaded');
    return model.metrics();
  };
  const becomesIdle = async () => {
    const end = Date.now() + patienceMs;
    for (;;) {
      const { running, waiting } = await metrics();
      const { inFlight } = server.models.find('tiny');
      if (running === 0 && waiting === 0 && inFlight === 0) return;
      if (Date.now() > end) throw new Error(`still busy: ${JSON.stringify({ running, waiting, inFlight })}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const close = async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { ...started, folder, metrics, becomesIdle, close };
}

/** The data of all server-sent events of an answer, parsed. */
export async function readEvents<Event = Record<string, unknown>>(response: Response): Promise<Event[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Event);
}

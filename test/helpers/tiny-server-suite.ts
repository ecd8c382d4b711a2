import { rm } from 'node:fs/promises';
import type { ModelMetrics } from '../../lib/index.js';
import type { ServerOptions } from '../../lib/server/index.js';
import { startTestServer, type TestServer } from './test-server.js';
import { makeTinyModel, metricsOf, untilRest } from './tiny-server.js';

/** A running server with a model that makes thousands of tokens a second, for all tests of a suite. */
export interface TinyServer extends TestServer {
  /** Folder of the model's file; gone when the server is closed. */
  readonly folder: string;
  /** The model's counts; loads it if it is not there. */
  readonly metrics: () => Promise<ModelMetrics>;
  /** Waits until nothing runs or waits in the engine, and no request is counted as under way. */
  readonly becomesIdle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts a server with the tiny generator under the name `tiny`; whoever starts it closes it. */
export async function startTinyServer(options: Partial<ServerOptions> = {}): Promise<TinyServer> {
  const { path, directory: folder } = await makeTinyModel();
  const started = await startTestServer({
    models: [{ source: path, name: 'tiny' }],
    ...options,
    // A step is shorter than a second thread would take to join in.
    load: { threads: 1, ...options.load },
  });
  const loaded = () => started.server.models.load('tiny');
  return {
    ...started,
    folder,
    metrics: async () => {
      await loaded();
      return metricsOf(started);
    },
    becomesIdle: async () => {
      await loaded();
      await untilRest(started, 20);
    },
    close: async () => {
      await started.server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The data of all server-sent events of an answer, parsed. */
export async function readEvents<Event = Record<string, unknown>>(response: Response): Promise<Event[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Event);
}

import { onTestFinished } from 'vitest';
import { createServer, type Server, type ServerOptions } from '../../lib/server/index.js';
import { testModelPath } from './model.js';

/** A running server, and where it is. */
export interface TestServer {
  readonly server: Server;
  readonly url: string;
  /** Where it speaks gRPC, if it does. */
  readonly grpcAddress: string;
  /** Posts JSON; the answer is not read yet. */
  readonly post: (
    path: string,
    body: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Response>;
}

/**
 * Starts a server on a free port of this machine, with the test model under the name `smol` unless others are named. The
 * engine is in this process, which starts faster; what is about crashes says `isolate`.
 */
export async function startTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const server = await createServer({
    models: [{ source: await testModelPath(), name: 'smol' }],
    port: 0,
    ...options,
    load: { isolate: false, contextSize: 2048, threads: 2, ...options.load },
  });
  const { url, grpcPort } = await server.listen();
  return {
    server,
    url,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}

/** As {@link startTestServer}, closed when the test that calls it has ended. */
export async function startServerForTest(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const started = await startTestServer(options);
  onTestFinished(() => started.server.close());
  return started;
}

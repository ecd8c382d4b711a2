import { fileURLToPath } from 'node:url';
import type { Server, ServerCredentials, ServiceDefinition } from '@grpc/grpc-js';
import { invalidArgument } from '../../arguments.js';
import { createError } from '../../errors.js';
import type { ServerContext } from '../context.js';
import { serverClosing } from '../failures.js';
import { isLoopback, type ServerSettings } from '../settings.js';
import { Calls } from './calls.js';
import { toImplementation } from './methods.js';

/** A running gRPC server. */
export interface GrpcService {
  readonly port: number;
  /** Lets nobody in any more, and waits for the calls that run, for a bounded time. */
  readonly close: () => Promise<void>;
}

const serviceName = 'llama_native.v1.LlamaNative';

/** The same in lib/ and in dist/. */
const [protoPath, healthPath] = ['llama_native', 'grpc_health'].map((name) =>
  fileURLToPath(new URL(`../../../proto/${name}.proto`, import.meta.url)),
) as [string, string];

/** How long calls that were cancelled may take to end. */
const goodbyeMs = 1000;

/** How often silent clients are asked whether they are there, and how long they may take to answer. */
const keepAlive = { 'grpc.keepalive_time_ms': 30_000, 'grpc.keepalive_timeout_ms': 10_000 };

/** Only for servers that speak gRPC: loading all of it takes a tenth of a second and some megabytes. */
async function loadLibraries() {
  const [grpc, protoLoader, health, reflection] = await Promise.all([
    import('@grpc/grpc-js'),
    import('@grpc/proto-loader'),
    import('grpc-health-check'),
    import('@grpc/reflection'),
  ]);
  const [definition, described] = await Promise.all([
    protoLoader.load(protoPath, { longs: Number, enums: String, defaults: true }),
    // Tools call fields by the names of the file.
    protoLoader.load([protoPath, healthPath], { keepCase: true }),
  ]);
  return { grpc, health, reflection, definition, described };
}

type Libraries = Awaited<ReturnType<typeof loadLibraries>>;

function toCredentials({ grpc }: Libraries, { tls }: ServerSettings): ServerCredentials {
  if (tls === undefined) return grpc.ServerCredentials.createInsecure();
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) };
  return grpc.ServerCredentials.createSsl(null, [pair]);
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

/** Behind a unix socket HTTP needs no key; gRPC still listens on `host`. */
function checkExposure({ host, apiKeys }: ServerSettings): void {
  if (isLoopback(host) || apiKeys.length > 0) return;
  throw invalidArgument('host', 'apiKeys beside it, since others reach that address by gRPC', host);
}

/** Waits for a promise, for a bounded time. */
async function within(milliseconds: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}

/**
 * Starts to speak gRPC, if the settings ask for it: the service of proto/llama_native.proto, the standard health service
 * and reflection.
 * @throws LlamaNativeError SERVER_START_FAILED if the address is taken or the certificate is none.
 */
export async function startGrpc(context: ServerContext): Promise<GrpcService | undefined> {
  const { settings } = context;
  if (settings.grpc === undefined) return undefined;
  checkExposure(settings);
  const libraries = await loadLibraries();
  const { grpc, health, reflection, definition, described } = libraries;
  const { log, bodyLimitBytes, host, shutdownTimeoutMs } = settings;
  const server = new grpc.Server({ 'grpc.max_receive_message_length': bodyLimitBytes, ...keepAlive });
  const calls = new Calls({
    context,
    newMetadata: () => new grpc.Metadata(),
    log: typeof log === 'object' ? log : undefined,
  });
  server.addService(definition[serviceName] as ServiceDefinition, toImplementation(context, calls));
  const status = new health.HealthImplementation({ '': 'SERVING', [serviceName]: 'SERVING' });
  status.addToServer(server);
  new reflection.ReflectionService(described).addToServer(server);

  const address = `${host.includes(':') ? `[${host}]` : host}:${settings.grpc.port}`;
  let port: number;
  try {
    port = await bind(server, address, toCredentials(libraries, settings));
  } catch (error) {
    server.forceShutdown();
    const reason = error instanceof Error ? error.message : String(error);
    const message = `The server cannot speak gRPC on ${address}: ${reason}. Choose another port (\`grpc.port\`, on the command line --grpc-port), or check \`tls\`.`;
    throw createError('SERVER_START_FAILED', message, { cause: error });
  }
  const close = async () => {
    for (const name of ['', serviceName]) status.setStatus(name, 'NOT_SERVING');
    server.tryShutdown(() => {}); // lets nobody in; ends by itself, or below
    await within(shutdownTimeoutMs, calls.allEnded());
    calls.cancelAll(serverClosing());
    await within(goodbyeMs, calls.allEnded());
    // What was answered last is still on its way.
    await new Promise((resolve) => setTimeout(resolve, 50));
    server.forceShutdown();
  };
  return { port, close };
}

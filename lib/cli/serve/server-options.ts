import { readFile } from 'node:fs/promises';
import type { ServedModelOptions, ServerOptions, TlsOptions } from '../../server/index.js';
import type { Environment } from '../context.js';
import { UsageError } from '../failures.js';
import { type ModelOptions, toLoadOptions, withoutUndefined } from '../options.js';

/** What can be given to `serve`. */
export interface ServeOptions extends ModelOptions {
  host?: string;
  port?: number;
  unixSocket?: string;
  sequences?: number;
  apiKey?: string[];
  apiKeyFile?: string;
  tlsKey?: string;
  tlsCertificate?: string;
  allowedOrigin?: string[];
  allowedHost?: string[];
  allowSources?: boolean;
  memoryBudget?: number;
  queueLimit?: number;
  requestsPerKey?: number;
  requestsPerMinute?: number;
  requestTimeout?: number;
  shutdownTimeout?: number;
  logLevel?: string;
  logPrompts?: boolean;
  page: boolean;
  docs: boolean;
  isolate: boolean;
  grpc?: true | number;
}

/** Reads `name=source`, or a source alone. */
export function parseServedModel(text: string): ServedModelOptions {
  const [, name, source] = /^([A-Za-z0-9][\w.-]*)=(.+)$/s.exec(text) ?? [];
  return name === undefined || source === undefined ? { source: text } : { name, source };
}

async function readText(what: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot read the ${what}: ${reason}`, 'expected the path of a file.');
  }
}

/** Keys on the command line can be seen by all users of the machine; those of the file and the variable cannot. */
async function readKeys(options: ServeOptions, environment: Environment): Promise<string[]> {
  const inFile = options.apiKeyFile === undefined ? '' : await readText('keys', options.apiKeyFile);
  const ofFile = inFile.split('\n').map((line) => line.trim());
  const ofEnvironment = (environment.LLAMA_NATIVE_API_KEY ?? '').split(',');
  const keys = [...(options.apiKey ?? []), ...ofFile, ...ofEnvironment];
  return [...new Set(keys.filter((key) => key !== '' && !key.startsWith('#')))];
}

async function readTls({ tlsKey, tlsCertificate }: ServeOptions): Promise<TlsOptions | undefined> {
  if (tlsKey === undefined && tlsCertificate === undefined) return undefined;
  if (tlsKey === undefined || tlsCertificate === undefined) {
    throw new UsageError('--tls-key and --tls-certificate belong together.', 'give both, as files in PEM.');
  }
  return {
    key: await readText('key', tlsKey),
    certificate: await readText('certificate', tlsCertificate),
  };
}

/**
 * The server's options for what was given on the command line; what was left out stays out.
 * @param isTerminal somebody looks on: only what goes wrong is logged.
 */
export async function toServerOptions(
  models: readonly ServedModelOptions[],
  options: ServeOptions,
  environment: Environment,
  isTerminal: boolean,
): Promise<ServerOptions> {
  const { sequences, grpc, isolate, requestTimeout, shutdownTimeout } = options;
  const keys = await readKeys(options, environment);
  return {
    models,
    load: { ...(await toLoadOptions({ ...options, isolate })), ...withoutUndefined({ sequences }) },
    ...withoutUndefined({
      host: options.host,
      port: options.port,
      unixSocket: options.unixSocket,
      apiKeys: keys.length === 0 ? undefined : keys,
      tls: await readTls(options),
      allowedOrigins: options.allowedOrigin,
      allowedHosts: options.allowedHost,
      allowSources: options.allowSources,
      memoryBudgetBytes: options.memoryBudget,
      queueLimit: options.queueLimit,
      requestsPerKey: options.requestsPerKey,
      requestsPerMinute: options.requestsPerMinute,
      requestTimeoutMs: requestTimeout === undefined ? undefined : requestTimeout * 1000,
      shutdownTimeoutMs: shutdownTimeout === undefined ? undefined : shutdownTimeout * 1000,
      log: options.logLevel === 'silent' ? false : (options.logLevel ?? (isTerminal ? 'warn' : 'info')),
      logPrompts: options.logPrompts,
      page: options.page,
      docs: options.docs,
      grpc: typeof grpc === 'number' ? { port: grpc } : grpc,
    }),
  };
}

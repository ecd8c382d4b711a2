import type { FastifyBaseLogger } from 'fastify';
import {
  checkBoolean,
  checkInteger,
  checkKeys,
  checkString,
  describeValue,
  invalidArgument,
} from '../arguments.js';
import type { ServedLoadOptions, ServedModelOptions } from './models/types.js';
import type { ApiKeyOptions, ServerOptions, TlsOptions } from './options.js';

/** A key with its defaults. */
export interface ApiKey {
  readonly key: string;
  readonly name: string;
  readonly admin: boolean;
  readonly concurrency: number | undefined;
}

/** {@link ServerOptions} with their defaults. */
export interface ServerSettings {
  readonly models: readonly ServedModelOptions[];
  readonly defaultModel: string | undefined;
  readonly load: ServedLoadOptions;
  readonly memoryBudgetBytes: number;
  readonly host: string;
  readonly port: number;
  readonly unixSocket: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly apiKeys: readonly ApiKey[];
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly allowSources: boolean;
  readonly requestsPerMinute: number | undefined;
  readonly queueLimit: number;
  readonly requestsPerKey: number | undefined;
  readonly receiveTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly loadTimeoutMs: number;
  readonly slowReaderTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly bodyLimitBytes: number;
  readonly log: boolean | string | FastifyBaseLogger;
  readonly logPrompts: boolean;
  readonly page: boolean;
  readonly docs: boolean;
  readonly grpc: { readonly port: number } | undefined;
}

const known = [
  'models',
  'defaultModel',
  'load',
  'memoryBudgetBytes',
  'host',
  'port',
  'unixSocket',
  'tls',
  'apiKeys',
  'allowedOrigins',
  'allowedHosts',
  'allowSources',
  'requestsPerMinute',
  'queueLimit',
  'requestsPerKey',
  'receiveTimeoutMs',
  'requestTimeoutMs',
  'loadTimeoutMs',
  'slowReaderTimeoutMs',
  'shutdownTimeoutMs',
  'bodyLimitBytes',
  'log',
  'logPrompts',
  'page',
  'docs',
  'grpc',
] as const satisfies readonly (keyof ServerOptions)[];

const defaultQueueLimit = 256;

const modelKeys = ['source', 'name', 'aliases', 'preload', 'pinned', 'load'];

/** Most milliseconds that a timer of Node.js can wait. */
const longestMs = 2_147_483_647;

function checkTexts(name: string, texts: readonly string[] | undefined): void {
  if (texts === undefined) return;
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== 'string' || text === '')) {
    throw invalidArgument(name, 'an array of texts', texts);
  }
}

function toServedModel(model: string | ServedModelOptions, index: number): ServedModelOptions {
  const name = `models[${index}]`;
  const options = typeof model === 'string' ? { source: model } : model;
  checkKeys(name, options, modelKeys);
  if (typeof options.source !== 'string' || options.source === '') {
    throw invalidArgument(`${name}.source`, 'a path, hf:owner/repo or an https URL', options.source);
  }
  checkString(`${name}.name`, options.name);
  checkTexts(`${name}.aliases`, options.aliases);
  checkBoolean(`${name}.preload`, options.preload);
  checkBoolean(`${name}.pinned`, options.pinned);
  return { preload: index === 0, ...options };
}

function toApiKeys(keys: ServerOptions['apiKeys'] = []): ApiKey[] {
  if (!Array.isArray(keys)) throw invalidArgument('apiKeys', 'an array of keys', keys);
  return keys.map((given: string | ApiKeyOptions, index) => {
    const options = typeof given === 'string' ? { key: given } : given;
    const name = `apiKeys[${index}]`;
    checkKeys(name, options, ['key', 'name', 'admin', 'concurrency']);
    if (typeof options.key !== 'string' || options.key.length < 8) {
      // The key itself must not stand in a message that is logged.
      throw invalidArgument(`${name}.key`, 'a text of 8 characters or more', '(not shown)');
    }
    checkString(`${name}.name`, options.name);
    checkBoolean(`${name}.admin`, options.admin);
    checkInteger(`${name}.concurrency`, options.concurrency, 1, 1_000_000);
    return {
      key: options.key,
      name: options.name ?? `key-${index + 1}`,
      admin: options.admin ?? keys.length === 1,
      concurrency: options.concurrency,
    };
  });
}

function checkNumbers(options: ServerOptions): void {
  checkInteger('memoryBudgetBytes', options.memoryBudgetBytes, 1, Number.MAX_SAFE_INTEGER);
  checkInteger('port', options.port, 0, 65_535);
  checkInteger('requestsPerMinute', options.requestsPerMinute, 1, 1_000_000_000);
  checkInteger('queueLimit', options.queueLimit, 0, 1_000_000);
  checkInteger('requestsPerKey', options.requestsPerKey, 1, 1_000_000);
  checkInteger('receiveTimeoutMs', options.receiveTimeoutMs, 1, longestMs);
  checkInteger('requestTimeoutMs', options.requestTimeoutMs, 0, longestMs);
  checkInteger('loadTimeoutMs', options.loadTimeoutMs, 1, longestMs);
  checkInteger('slowReaderTimeoutMs', options.slowReaderTimeoutMs, 1, longestMs);
  checkInteger('shutdownTimeoutMs', options.shutdownTimeoutMs, 0, longestMs);
  checkInteger('bodyLimitBytes', options.bodyLimitBytes, 1, 0x7fff_ffff);
}

const loopbackNames = ['127.0.0.1', '::1', 'localhost'];

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return loopbackNames.includes(host) || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function checkTls(tls: TlsOptions | undefined): void {
  if (tls === undefined) return;
  checkKeys('tls', tls, ['key', 'certificate']);
  for (const name of ['key', 'certificate'] as const) {
    const value = tls[name];
    if (typeof value !== 'string' && !Buffer.isBuffer(value)) {
      throw invalidArgument(`tls.${name}`, 'a text or a Buffer in PEM', value);
    }
  }
}

/** A server that others reach lets nobody in without a key. */
function checkExposure(settings: ServerSettings): void {
  const isReachable = settings.unixSocket === undefined && !isLoopback(settings.host);
  if (!isReachable || settings.apiKeys.length > 0) return;
  const expected = `apiKeys beside it, since others reach that address (on the command line: --api-key)`;
  throw invalidArgument('host', expected, settings.host);
}

/** The server itself says when a queue is full. A request may be several generations, and the engine is to take them. */
function engineQueueLimit({ queueLimit = defaultQueueLimit }: ServerOptions): number {
  return Math.min(1_000_000, Math.max(1024, 4 * queueLimit));
}

/**
 * Checks options and fills in their defaults.
 * @throws InvalidArgumentError naming the option.
 */
export function toServerSettings(options: ServerOptions): ServerSettings {
  checkKeys('options', options, known);
  if (!Array.isArray(options.models)) {
    throw invalidArgument(
      'models',
      `an array of sources, not ${describeValue(options.models)}`,
      options.models,
    );
  }
  checkNumbers(options);
  checkTls(options.tls);
  for (const name of ['defaultModel', 'host', 'unixSocket'] as const) checkString(name, options[name]);
  for (const name of ['allowSources', 'logPrompts', 'page', 'docs'] as const)
    checkBoolean(name, options[name]);
  for (const name of ['allowedOrigins', 'allowedHosts'] as const) checkTexts(name, options[name]);
  const { grpc = false } = options;
  if (typeof grpc === 'object') {
    checkKeys('grpc', grpc, ['port']);
    checkInteger('grpc.port', grpc.port, 0, 65_535);
  }
  const settings: ServerSettings = {
    models: options.models.map(toServedModel),
    defaultModel: options.defaultModel,
    load: { sequences: 8, isolate: true, queueLimit: engineQueueLimit(options), ...options.load },
    memoryBudgetBytes: options.memoryBudgetBytes ?? Number.POSITIVE_INFINITY,
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 8080,
    unixSocket: options.unixSocket,
    tls: options.tls,
    apiKeys: toApiKeys(options.apiKeys),
    allowedOrigins: options.allowedOrigins ?? [],
    allowedHosts: options.allowedHosts ?? [],
    allowSources: options.allowSources ?? false,
    requestsPerMinute: options.requestsPerMinute,
    queueLimit: options.queueLimit ?? defaultQueueLimit,
    requestsPerKey: options.requestsPerKey,
    receiveTimeoutMs: options.receiveTimeoutMs ?? 60_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 600_000,
    loadTimeoutMs: options.loadTimeoutMs ?? 300_000,
    slowReaderTimeoutMs: options.slowReaderTimeoutMs ?? 30_000,
    shutdownTimeoutMs: options.shutdownTimeoutMs ?? 10_000,
    bodyLimitBytes: options.bodyLimitBytes ?? 8 * 1024 * 1024,
    log: options.log ?? false,
    logPrompts: options.logPrompts ?? false,
    page: options.page ?? true,
    docs: options.docs ?? true,
    grpc: grpc === false ? undefined : { port: (grpc === true ? undefined : grpc.port) ?? 50_051 },
  };
  checkExposure(settings);
  return settings;
}

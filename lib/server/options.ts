import type { FastifyBaseLogger } from 'fastify';
import type { ServedLoadOptions, ServedModelOptions } from './models/types.js';

/** A key that clients show as `Authorization: Bearer …` or `x-api-key`. */
export interface ApiKeyOptions {
  /** The secret itself, 8 characters or more. */
  key: string;
  /** What logs and metrics call it. Default: `key-1`, `key-2` and so on. */
  name?: string;
  /** May load and unload models and read metrics. Default true for a single key, false where there are several. */
  admin?: boolean;
  /** Requests of this key that may run or wait at once. Default: `requestsPerKey`. */
  concurrency?: number;
}

/** Certificate and key of a server that speaks TLS, in PEM. */
export interface TlsOptions {
  key: string | Buffer;
  certificate: string | Buffer;
}

/** How a server speaks gRPC. */
export interface GrpcOptions {
  /** Port of its own. 0 takes a free one. Default 50051. */
  port?: number;
}

/** Options of {@link createServer}. */
export interface ServerOptions {
  /** What to serve: sources as of `loadModel`, or with names and options of their own. The first is the default model. */
  models: readonly (string | ServedModelOptions)[];
  /** Name of the model that requests without one are for. Default: the first one's. */
  defaultModel?: string;
  /**
   * Options of all models. Default: those of `loadModel`, with 8 `sequences`, and engines in processes of their own
   * (`isolate`).
   */
  load?: ServedLoadOptions;
  /**
   * Memory that loaded models may take together, in bytes; the least recently used one is unloaded to make room.
   * Default: no limit.
   */
  memoryBudgetBytes?: number;
  /** Address to listen on. Anything but a loopback address needs `apiKeys`. Default `127.0.0.1`. */
  host?: string;
  /** Port to listen on; 0 takes a free one. Default 8080. */
  port?: number;
  /** Path of a unix socket to listen on instead of a port. */
  unixSocket?: string;
  /** Certificate and key; without them the server speaks plain HTTP. */
  tls?: TlsOptions;
  /** Keys that let clients in. Default: none, and whoever reaches the address is let in. */
  apiKeys?: readonly (string | ApiKeyOptions)[];
  /** Origins of pages in browsers that may ask, such as `https://example.org`; `*` for all. Default: none but its own. */
  allowedOrigins?: readonly string[];
  /** Host names that requests may be addressed to, beside loopback names and `host`. Default: none. */
  allowedHosts?: readonly string[];
  /** Let administrators load models that are not in `models`, by path or from the hub. Default false. */
  allowSources?: boolean;
  /** Requests that each client may make in a minute. Default: no limit. */
  requestsPerMinute?: number;
  /** Requests of a model that may wait for one of its sequences. More are refused with 429. Default 256. */
  queueLimit?: number;
  /** Requests of a key that may run or wait at once. Default: no limit. */
  requestsPerKey?: number;
  /** How long a client may take to send a request, in milliseconds. Default 60000. */
  receiveTimeoutMs?: number;
  /** How long a request may take in all, in milliseconds; 0 for any time. Default 600000. */
  requestTimeoutMs?: number;
  /** How long a request may wait for its model to load, in milliseconds. Default 300000. */
  loadTimeoutMs?: number;
  /** How long a client that reads nothing is waited for, in milliseconds. Default 30000. */
  slowReaderTimeoutMs?: number;
  /** How long running requests may go on when the server closes, in milliseconds. Default 10000. */
  shutdownTimeoutMs?: number;
  /** Largest request in bytes. Default 8388608. */
  bodyLimitBytes?: number;
  /** `true` logs to the standard output, a level such as `warn` only that and worse; or a pino logger. Default false. */
  log?: boolean | string | FastifyBaseLogger;
  /** Put prompts and answers into the log. Default false. */
  logPrompts?: boolean;
  /** Serve the chat page at `/`. Default true. */
  page?: boolean;
  /** Serve the description of all routes at `/docs`. Default true. */
  docs?: boolean;
  /** Speak gRPC too, on a port of its own. Default false. */
  grpc?: boolean | GrpcOptions;
}

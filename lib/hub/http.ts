import { abortedError, throwIfAborted } from './abort.js';
import { describeProxy, fetchThroughProxy, findProxy } from './proxy.js';
import type { HubSettings } from './settings.js';

/** {@link ConnectionFailure.systemCode} of a proxy that does not let a request through. */
export const proxyRefusal = 'PROXY_REFUSAL';

const redirectLimit = 10;
const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** What a request needs to know. The token is sent to the endpoint only, never to where a redirect leads. */
export type RequestSettings = Pick<HubSettings, 'endpoint' | 'token' | 'signal' | 'tuning'>;

/** An answer with its body still to be read. */
export interface Answer {
  readonly response: Response;
  /** The headers of all answers on the way, later ones winning: a redirect of the hub carries the file's hash. */
  readonly headers: Headers;
  /** Ends the connection; the body must have been read or this be called. */
  readonly release: () => void;
}

/** A server answered, but not with what was asked for. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: number;
  readonly url: string;
  /** `X-Error-Code` and `X-Error-Message` of the hub, where present. */
  readonly hubCode: string | undefined;
  readonly hubMessage: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, url: string, headers: Headers) {
    const hubMessage = headers.get('x-error-message') ?? undefined;
    super(`${new URL(url).host} answered ${status}${hubMessage ? ` (${hubMessage})` : ''}`);
    this.status = status;
    this.url = url;
    this.hubCode = headers.get('x-error-code') ?? undefined;
    this.hubMessage = hubMessage;
    this.retryAfterMs = parseRetryAfter(headers.get('retry-after'));
  }
}

interface ConnectionFailureOptions {
  readonly cause?: unknown;
  readonly systemCode?: string | undefined;
  readonly isProxied?: boolean;
}

/** The server could not be reached, or the connection ended too early. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
  /** The system's code, such as `ENOTFOUND` or `ECONNRESET`, where known. */
  readonly systemCode: string | undefined;
  /** A proxy was asked, so that it may be the proxy that failed. */
  readonly isProxied: boolean;

  constructor(message: string, options: ConnectionFailureOptions = {}) {
    super(message, { cause: options.cause });
    this.systemCode = options.systemCode;
    this.isProxied = options.isProxied ?? false;
  }
}

/**
 * Sends a GET and follows redirects, one by one, so that the token stays with its origin and no header of an answer
 * on the way is lost.
 *
 * @throws {HttpFailure} for answers other than 2xx; {@link ConnectionFailure}; `ABORTED`.
 */
export async function request(
  url: string,
  settings: RequestSettings,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const { signal } = settings;
  throwIfAborted(signal);
  const abort = new AbortController();
  const forward = () => abort.abort(signal?.reason);
  signal?.addEventListener('abort', forward, { once: true });
  const release = () => {
    signal?.removeEventListener('abort', forward);
    abort.abort();
  };
  try {
    return { ...(await follow(url, settings, headers, abort.signal)), release };
  } catch (error) {
    release();
    if (signal?.aborted) throw abortedError(signal);
    throw error;
  }
}

async function follow(
  url: string,
  settings: RequestSettings,
  requestHeaders: Readonly<Record<string, string>>,
  signal: AbortSignal,
) {
  const headers = new Headers();
  let target = new URL(url);
  for (let hop = 0; hop <= redirectLimit; hop++) {
    const response = await send(target, settings, requestHeaders, signal);
    for (const [name, value] of response.headers) headers.set(name, value);
    const location = response.headers.get('location');
    if (response.ok) return { response, headers };
    await response.body?.cancel();
    if (!redirectStatuses.has(response.status) || location === null) {
      throw new HttpFailure(response.status, target.href, response.headers);
    }
    target = nextTarget(target, location);
  }
  throw new ConnectionFailure(`${new URL(url).host} redirected more than ${redirectLimit} times`);
}

function nextTarget(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href))
    throw new ConnectionFailure(`${from.host} redirected to '${location}'`);
  const target = new URL(location, from);
  if (from.protocol === 'https:' && target.protocol !== 'https:') {
    throw new ConnectionFailure(`${from.host} redirected from https to ${target.protocol}//${target.host}`);
  }
  return target;
}

async function send(
  target: URL,
  { endpoint, token, tuning }: RequestSettings,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Response> {
  const route = findProxy(target);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), tuning.headersTimeoutMs);
  const mayKnow = token !== undefined && target.origin === new URL(endpoint).origin;
  const isProxied = route !== undefined;
  const through = isProxied ? ` through the proxy ${describeProxy(route)}` : '';
  const authorization = mayKnow ? { authorization: `Bearer ${token}` } : {};
  try {
    const init = {
      redirect: 'manual',
      // Compression would make byte ranges and announced sizes mean something else.
      headers: { 'user-agent': 'llama-native', 'accept-encoding': 'identity', ...headers, ...authorization },
      signal: AbortSignal.any([signal, timeout.signal]),
    } as const;
    return await (route === undefined
      ? fetch(target.href, init)
      : fetchThroughProxy(target.href, init, route));
  } catch (error) {
    if (timeout.signal.aborted) {
      const seconds = tuning.headersTimeoutMs / 1000;
      throw new ConnectionFailure(`${target.host} did not answer within ${seconds} s${through}`, {
        cause: error,
        isProxied,
      });
    }
    throw connectionFailure(`${target.host} cannot be reached${through}`, error, isProxied);
  } finally {
    clearTimeout(timer);
  }
}

/** The whole body of an answer as text. */
export async function readText(answer: Answer, timeoutMs: number): Promise<string> {
  const timer = setTimeout(answer.release, timeoutMs);
  try {
    return await answer.response.text();
  } catch (error) {
    throw connectionFailure('the connection was cut', error);
  } finally {
    clearTimeout(timer);
  }
}

/** The reason of what `fetch` threw lies in its cause, or the cause of that, or in the first of several causes. */
function deepestCause(error: unknown): unknown {
  if (error instanceof AggregateError) return deepestCause(error.errors[0]);
  return error instanceof Error && error.cause instanceof Error ? deepestCause(error.cause) : error;
}

/** Wraps what `fetch` threw. */
export function connectionFailure(what: string, error: unknown, isProxied = false): ConnectionFailure {
  const cause = deepestCause(error);
  const reason = cause instanceof Error ? cause.message : String(cause);
  const refusal = isProxied ? /\b4\d\d\b/.exec(reason)?.[0] : undefined;
  if (refusal !== undefined) {
    const options = { cause: error, systemCode: proxyRefusal, isProxied };
    return new ConnectionFailure(`${what}: the proxy answered ${refusal}`, options);
  }
  const systemCode = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return new ConnectionFailure(`${what}: ${reason}`, { cause: error, systemCode, isProxied });
}

/** Seconds or a date, in milliseconds from now. */
export function parseRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

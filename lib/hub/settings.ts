import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkSignal,
  checkString,
} from '../arguments.js';
import { createError } from '../errors.js';
import type { DownloadProgress, ModelWarning, ResolveModelOptions } from './types.js';

/** Connections for one large file: enough for servers that slow down each one, few enough not to be taken for abuse. */
const defaultConnections = 4;

/** The Hugging Face hub. */
const hubAddress = 'https://huggingface.co';

/** How long to wait and how often to try. Only tests use other values than {@link defaultTuning}. */
export interface Tuning {
  /** Tries in a row that bring no byte before a transfer is given up. */
  readonly attempts: number;
  /** Wait before the second try; doubled for each further one. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Longest `Retry-After` that is waited for. */
  readonly maxRetryAfterMs: number;
  /** Time a server has to answer with headers. */
  readonly headersTimeoutMs: number;
  /** Time without a byte after which a connection counts as cut. */
  readonly idleTimeoutMs: number;
  /** Bytes that a connection must bring in that time, or it counts as cut, too. */
  readonly leastBytes: number;
  /** Size from which a file is fetched over several connections. */
  readonly parallelBytes: number;
  /** Size of the parts that are then fetched at a time. */
  readonly leastSegmentBytes: number;
  readonly mostSegmentBytes: number;
  /** How often the owner of a lock shows that it lives. */
  readonly heartbeatMs: number;
  /** How long a lock may go without a heartbeat while its owner may still be alive. */
  readonly lockStaleMs: number;
}

export const defaultTuning: Tuning = {
  attempts: 6,
  firstDelayMs: 500,
  maxDelayMs: 30_000,
  maxRetryAfterMs: 60_000,
  headersTimeoutMs: 20_000,
  idleTimeoutMs: 30_000,
  leastBytes: 16 << 10,
  parallelBytes: 32 << 20,
  leastSegmentBytes: 8 << 20,
  mostSegmentBytes: 64 << 20,
  heartbeatMs: 1_000,
  lockStaleMs: 30_000,
};

/** Options with their defaults filled in from the environment. */
export interface HubSettings {
  readonly cacheDirectory: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly offline: boolean;
  readonly update: boolean;
  readonly connections: number;
  readonly onProgress: ((progress: DownloadProgress) => void) | undefined;
  readonly onWarning: ((warning: ModelWarning) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly tuning: Tuning;
}

/** Names of the options of every call that asks the hub. */
export const hubKeys = ['cacheDirectory', 'token', 'endpoint', 'offline', 'signal'] as const;
const resolveKeys = [...hubKeys, 'update', 'connections', 'onProgress', 'onWarning'];

function checkOptions(options: ResolveModelOptions): void {
  checkKeys('options', options, resolveKeys);
  checkString('cacheDirectory', options.cacheDirectory);
  checkString('token', options.token);
  checkString('endpoint', options.endpoint);
  checkBoolean('offline', options.offline);
  checkBoolean('update', options.update);
  checkConnections(options.connections);
  checkFunction('onProgress', options.onProgress);
  checkFunction('onWarning', options.onWarning);
  checkSignal(options.signal);
}

/** Checks how many connections a file may be fetched over. */
export function checkConnections(connections: number | undefined): void {
  checkInteger('connections', connections, 1, 16);
}

/** @throws `INVALID_ARGUMENT` for options that are unknown or not what they should be. */
export async function readSettings(
  options: ResolveModelOptions,
  tuning: Tuning = defaultTuning,
): Promise<HubSettings> {
  checkOptions(options);
  return {
    cacheDirectory: resolveCacheDirectory(options.cacheDirectory),
    endpoint: resolveEndpoint(options.endpoint),
    token: options.token ?? (await readToken()),
    offline: options.offline ?? isOfflineByEnvironment(),
    update: options.update ?? false,
    connections: options.connections ?? defaultConnections,
    onProgress: options.onProgress,
    onWarning: options.onWarning,
    signal: options.signal,
    tuning,
  };
}

/** The folder that holds `models--owner--name` folders. */
export function resolveCacheDirectory(given: string | undefined): string {
  const fromEnvironment = process.env.HF_HUB_CACHE || process.env.HUGGINGFACE_HUB_CACHE;
  return resolve(expandHome(given ?? (fromEnvironment || join(hubHome(), 'hub'))));
}

/** Where the Hugging Face tools keep everything. */
function hubHome(): string {
  return process.env.HF_HOME || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
}

export function expandHome(path: string): string {
  return /^~(?=$|[/\\])/.test(path) ? join(homedir(), path.slice(1)) : path;
}

/** The hub's address without a slash at its end. */
export function resolveEndpoint(given: string | undefined): string {
  const text = given ?? (process.env.HF_ENDPOINT || hubAddress);
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw createError(
      'INVALID_ARGUMENT',
      `The hub's address must be an http or https URL, such as ${hubAddress}; received '${text}'. ` +
        'Correct the option `endpoint` or the environment variable HF_ENDPOINT.',
      { details: { endpoint: text } },
    );
  }
  return text.replace(/\/+$/, '');
}

function isOfflineByEnvironment(): boolean {
  return /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? '');
}

/** The places where the Hugging Face tools keep the token, in their order. */
async function readToken(): Promise<string | undefined> {
  const fromEnvironment = process.env.HF_TOKEN || process.env.HUGGING_FACE_HUB_TOKEN;
  if (fromEnvironment) return fromEnvironment.trim();
  const path = expandHome(process.env.HF_TOKEN_PATH || join(hubHome(), 'token'));
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() || undefined;
}

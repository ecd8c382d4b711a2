import { effect, signal } from '@preact/signals';
import { ApiFailure } from '../api/api-failure.js';
import { requestJson } from '../api/client.js';
import type { ModelList } from '../api/types.js';
import { keep, readKept } from '../storage/kept-value.js';
import { changeSettings, settings } from './settings.js';

/** How it stands between the page and the server. */
export type Connection = 'connecting' | 'ready' | 'key-needed' | 'unreachable' | 'failed';

/** The state of the connection. */
export const connection = signal<Connection>('connecting');
/** What the server said when the connection failed. */
export const connectionProblem = signal('');
/** Names of the models that the server offers. */
export const models = signal<readonly string[]>([]);

const session = () => sessionStorage;

function keptKey(): string {
  const kept = readKept('key', session) ?? readKept('key');
  return typeof kept === 'string' ? kept : '';
}

/** The key that the user gave, or nothing. */
export const apiKey = signal(keptKey());

/** Uses a key from now on, and keeps it as long as the tab lives, or until it is taken back. */
export function useKey(key: string, isKept: boolean): Promise<void> {
  apiKey.value = key;
  keep('key', key === '' ? undefined : key, session);
  keep('key', isKept && key !== '' ? key : undefined);
  return connect();
}

/** True if the browser keeps the key when it is closed. */
export function isKeyKept(): boolean {
  return readKept('key') !== undefined;
}

/** Tells the page what a failed request says of the connection. */
export function noteFailure(error: unknown): void {
  if (!(error instanceof ApiFailure)) return;
  if (error.status === 401) connection.value = 'key-needed';
  if (error.status === 0) void connect(); // it may be gone, or may have broken off only this answer
}

/** Asks which models there are. */
export async function connect(): Promise<void> {
  try {
    const { data } = await requestJson<ModelList>('v1/models', apiKey.value);
    models.value = data.map(({ id }) => id);
    connection.value = 'ready';
  } catch (error) {
    const status = error instanceof ApiFailure ? error.status : 0;
    connectionProblem.value = error instanceof Error ? error.message : '';
    connection.value = status === 401 ? 'key-needed' : status === 0 ? 'unreachable' : 'failed';
  }
}

const retryMs = 4000;

/** Connects, tries again as long as there is no server, and chooses a model that exists. */
export function keepConnected(): void {
  connect();
  effect(() => {
    if (connection.value !== 'unreachable') return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') connect();
    }, retryMs);
    return () => clearInterval(timer);
  });
  effect(() => {
    const [first] = models.value;
    const { model } = settings.peek();
    if (first !== undefined && (model === undefined || !models.value.includes(model)))
      changeSettings({ model: first });
  });
}

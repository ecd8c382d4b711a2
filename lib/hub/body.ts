import { abortedError } from './abort.js';
import { type Answer, ConnectionFailure, connectionFailure } from './http.js';
import type { HubSettings } from './settings.js';

/**
 * The chunks of a body. A connection without a byte for too long counts as cut, and so does one that keeps a reader
 * busy with a byte now and then.
 */
export async function* readBody(
  answer: Answer,
  settings: Pick<HubSettings, 'tuning' | 'signal'>,
): AsyncGenerator<Uint8Array> {
  const { idleTimeoutMs, leastBytes } = settings.tuning;
  const reader = answer.response.body?.getReader();
  let windowStart = performance.now();
  let windowBytes = 0;
  while (reader !== undefined) {
    const { done, value } = await orIdle(reader.read(), idleTimeoutMs).catch((error: unknown) => {
      if (settings.signal?.aborted) throw abortedError(settings.signal);
      if (error instanceof ConnectionFailure) throw error;
      throw connectionFailure('the connection was cut', error);
    });
    if (done) return;
    yield value;
    windowBytes += value.length;
    if (performance.now() - windowStart < idleTimeoutMs) continue;
    if (windowBytes < leastBytes) {
      throw new ConnectionFailure(`only ${windowBytes} bytes came in ${idleTimeoutMs / 1000} s`);
    }
    windowStart = performance.now();
    windowBytes = 0;
  }
}

async function orIdle<Result>(read: Promise<Result>, idleTimeoutMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const idle = new Promise<never>((_, reject) => {
    const onIdle = () => reject(new ConnectionFailure(`no byte came for ${idleTimeoutMs / 1000} s`));
    timer = setTimeout(onIdle, idleTimeoutMs);
  });
  return Promise.race([read, idle]).finally(() => clearTimeout(timer));
}

import { signal } from '@preact/signals';
import { ApiFailure } from '../api/api-failure.js';
import { requestJson } from '../api/client.js';
import type { PageMetrics } from '../api/types.js';
import { addSample, type Sample, toSample } from '../dashboard/samples.js';
import { apiKey, noteFailure } from './server.js';

/** The last that the server told of itself. */
export const metrics = signal<PageMetrics | undefined>(undefined);
/** The last minutes, while somebody looked. */
export const samples = signal<readonly Sample[]>([]);
/** Why there are no numbers. */
export const metricsProblem = signal<'forbidden' | 'unreachable' | undefined>(undefined);

const everyMs = 1000;

async function ask(signal: AbortSignal): Promise<void> {
  try {
    const now = await requestJson<PageMetrics>('page/metrics', apiKey.peek(), signal);
    samples.value = addSample(samples.peek(), toSample(metrics.peek(), now));
    metrics.value = now;
    metricsProblem.value = undefined;
  } catch (error) {
    if (signal.aborted) return;
    noteFailure(error);
    const status = error instanceof ApiFailure ? error.status : 0;
    metricsProblem.value = status === 401 || status === 403 ? 'forbidden' : 'unreachable';
  }
}

/**
 * Asks the server how it is doing, once a second while the page is seen.
 * @returns ends it.
 */
export function watchMetrics(): () => void {
  const abort = new AbortController();
  const next = async () => {
    if (document.visibilityState === 'visible') await ask(abort.signal);
    if (!abort.signal.aborted) setTimeout(() => void next(), everyMs);
  };
  void next();
  return () => abort.abort();
}

import { Gauge, type Registry } from 'prom-client';
import type { ModelMetrics } from '../../index.js';
import type { ModelPool } from '../models/model-pool.js';
import type { ServedModel } from '../models/types.js';

const prefix = 'llama_native_';

/** A number of {@link ModelMetrics}, and what it is called. */
const numbers: readonly (readonly [
  name: string,
  help: string,
  (metrics: ModelMetrics) => number | undefined,
])[] = [
  ['engine_waiting', 'Generations that wait for a sequence.', ({ waiting }) => waiting],
  ['engine_running', 'Generations that run.', ({ running }) => running],
  ['cache_tokens', 'Tokens that the KV cache can hold.', ({ contextSize }) => contextSize],
  ['cache_tokens_used', 'Tokens that the KV cache holds.', ({ residentTokens }) => residentTokens],
  ['batch_fill_ratio', 'Tokens in a batch on average, over the batch size.', ({ batchFill }) => batchFill],
  [
    'engine_tokens_per_second',
    'Tokens evaluated in a second of evaluation.',
    (metrics) => metrics.tokensPerSecond,
  ],
  ['engine_steps', 'Batches evaluated since the model was loaded.', ({ steps }) => steps],
  [
    'cache_evictions',
    'Idle prefixes given up for room since the model was loaded.',
    ({ evictions }) => evictions,
  ],
  ['engine_pauses', 'Generations paused for room since the model was loaded.', ({ pauses }) => pauses],
  [
    'engine_memory_bytes',
    'Resident memory of the process of the engine.',
    (metrics) => metrics.engineProcess?.memoryBytes,
  ],
];

const states = ['unloaded', 'loading', 'ready', 'unloading', 'failed'] as const;

/**
 * Adds gauges of the engines, devices and this process.
 * @returns reads them anew; to be awaited before the registry is asked, since it asks its metrics all at once.
 */
export function addEngineGauges(registry: Registry, models: ModelPool): () => Promise<void> {
  const registers = [registry];
  const make = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name: `${prefix}${name}`, help, labelNames, registers });
  const ofEngines = numbers.map(([name, help]) => make(name, help, ['model']));
  const modelState = make('model_state', 'Whether a model is in this state.', ['model', 'state']);
  const deviceMemory = make('device_memory_bytes', 'Memory of a device.', ['device', 'kind']);
  const serverMemory = make('server_memory_bytes', 'Resident memory of the process of the server.', []);

  models.on('remove', ({ name }) => {
    for (const gauge of ofEngines) gauge.remove({ model: name });
  });

  const readEngine = async ({ name, model }: ServedModel) => {
    // A model that is being closed, or makes no text, has none.
    const metrics = await model?.metrics().catch(() => undefined);
    numbers.forEach(([, , read], index) => {
      const value = metrics === undefined ? undefined : read(metrics);
      if (value === undefined) ofEngines[index]?.remove({ model: name });
      else ofEngines[index]?.set({ model: name }, value);
    });
    for (const device of metrics?.devices ?? []) {
      deviceMemory.set({ device: device.name, kind: 'total' }, device.totalBytes);
      deviceMemory.set({ device: device.name, kind: 'free' }, device.freeBytes);
    }
  };

  return async () => {
    serverMemory.set(process.memoryUsage.rss());
    modelState.reset();
    for (const { name, state } of models.list()) {
      for (const possible of states)
        modelState.set({ model: name, state: possible }, possible === state ? 1 : 0);
    }
    await Promise.all(models.list().map(readEngine));
  };
}

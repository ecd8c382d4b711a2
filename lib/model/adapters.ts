import { createHash } from 'node:crypto';
import { checkKeys, checkNumber, invalidArgument } from '../arguments.js';
import { createError, LlamaNativeError } from '../errors.js';
import { checkAdapterCount } from '../gguf/check-adapter.js';
import { fingerprintModel } from '../gguf/fingerprint.js';
import { checkAdapterFile, type GgufHeader } from '../gguf/index.js';
import { addonOf, type ModelHandle, type NativeAppliedAdapter } from '../native/addon.js';

/** A LoRA adapter to load with a model; see {@link LoadModelOptions.adapters}. */
export interface AdapterOptions {
  /** The adapter: a source as `loadModel` takes it. */
  path: string;
  /**
   * Factor for what the adapter changes: 1 as it was trained, 0 not at all, less than 0 the opposite. Range −100 to 100.
   * Default 1.
   */
  scale?: number;
}

/** An adapter that was found and checked. */
export interface FoundAdapter {
  readonly path: string;
  readonly scale: number;
  readonly header: GgufHeader;
  /** Tells its content from that of others. */
  readonly fingerprint: string;
}

/** The adapters of a loaded model. */
export interface ModelAdapters {
  readonly applied: readonly NativeAppliedAdapter[];
  /** Tells models apart that differ only in adapters: what one has read is not what another would have read. */
  readonly key: string;
}

export const noAdapters: ModelAdapters = { applied: [], key: '' };

const keys = ['path', 'scale'];
const mostAdapters = 16;

function withDefaults(adapter: string | AdapterOptions): Required<AdapterOptions> {
  return typeof adapter === 'string' ? { path: adapter, scale: 1 } : { scale: 1, ...adapter };
}

/**
 * Checks the option `adapters`.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkAdapters(adapters: readonly (string | AdapterOptions)[] | undefined): void {
  if (adapters === undefined) return;
  if (!Array.isArray(adapters) || adapters.length > mostAdapters)
    throw invalidArgument('adapters', `an array of up to ${mostAdapters} adapters`, adapters);
  for (const [index, adapter] of adapters.entries()) {
    if (typeof adapter !== 'string') checkKeys(`adapters[${index}]`, adapter, keys);
    const { path, scale } = withDefaults(adapter);
    if (typeof path !== 'string' || path === '')
      throw invalidArgument(`adapters[${index}].path`, 'a path, hf:owner/repo:file or URL', path);
    checkNumber(`adapters[${index}].scale`, scale, -100, 100);
  }
}

/**
 * Finds the files of adapters, downloads those that are not on this machine, and checks them against the model.
 * @throws what `resolve` throws; ModelLoadError MODEL_INVALID, MODEL_UNSUPPORTED, ADAPTER_MISMATCH.
 */
export async function findAdapters(
  model: GgufHeader,
  adapters: readonly (string | AdapterOptions)[],
  resolve: (source: string) => Promise<string>,
  signal: AbortSignal | undefined,
): Promise<FoundAdapter[]> {
  const found: FoundAdapter[] = [];
  for (const { path: source, scale } of adapters.map(withDefaults)) {
    const path = await resolve(source);
    const header = await checkAdapterFile(path, model, signal === undefined ? {} : { signal });
    found.push({ path, scale, header, fingerprint: (await fingerprintModel(header)).toString('hex') });
  }
  checkAdapterCount(
    model,
    found.map(({ header }) => header),
  );
  return found;
}

/**
 * Loads adapters into a model that has no context yet.
 * @throws ModelLoadError ADAPTER_MISMATCH, MODEL_LOAD_FAILED; ContextError OUT_OF_MEMORY.
 */
export async function openAdapters(
  model: ModelHandle,
  found: readonly FoundAdapter[],
): Promise<ModelAdapters> {
  const applied: NativeAppliedAdapter[] = [];
  for (const { path, scale, fingerprint } of found) {
    try {
      applied.push({ adapter: await addonOf(model).loadAdapter(model, path, fingerprint), scale });
    } catch (error) {
      throw explainFailure(error, path);
    }
  }
  return { applied, key: keyOf(found) };
}

/** One that is scaled by 0 changes nothing, and the order does not count, since what they change is added up. */
function keyOf(found: readonly FoundAdapter[]): string {
  const parts = found
    .map(({ fingerprint, scale }) => ({ fingerprint, scale: Math.fround(scale) }))
    .filter(({ scale }) => scale !== 0)
    .map(({ fingerprint, scale }) => `${fingerprint} ${scale}`);
  return parts.length === 0 ? '' : createHash('sha256').update(parts.sort().join('\n')).digest('hex');
}

/** Gives a failed load the code that fits the reason in llama.cpp's log. */
function explainFailure(error: unknown, path: string): unknown {
  if (!LlamaNativeError.isInstance(error) || error.code !== 'MODEL_LOAD_FAILED') return error;
  const reason = error.message || 'it gave no reason';
  const code = /does not exist in base model|incorrect shape|arch mismatch/.test(reason)
    ? 'ADAPTER_MISMATCH'
    : /failed to allocate|unable to allocate|bad_alloc/i.test(reason)
      ? 'OUT_OF_MEMORY'
      : 'MODEL_LOAD_FAILED';
  const advice = {
    ADAPTER_MISMATCH: 'Load the adapter with the model it was trained on.',
    OUT_OF_MEMORY: 'Take a smaller model, fewer adapters, or fewer gpuLayers.',
    MODEL_LOAD_FAILED: 'Convert the adapter again, or take another one.',
  }[code];
  const message = `llama.cpp could not load the adapter ${path}:\n${reason}\n${advice}`;
  return createError(code, message, { cause: error, details: { path } });
}

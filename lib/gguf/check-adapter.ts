import { invalidAdapter, mismatchedAdapter, unsupportedAdapter } from './adapter-errors.js';
import { collectPairs } from './adapter-pairs.js';
import { checkPair } from './adapter-weights.js';
import { architecturesWithFixedGraphs } from './architecture-rules.js';
import { checkPlacement } from './check-placement.js';
import { architectureOf, stringValue } from './header-values.js';
import { type ReadHeaderOptions, readGgufHeader } from './read-header.js';
import { readAllTensors, splitCount } from './splits.js';
import type { GgufHeader } from './types.js';

/**
 * The door before llama.cpp sees a LoRA adapter: reads the header and refuses what would make llama.cpp abort, what is
 * plainly damaged, and what was made for another model. Follows `llama_adapter_lora_init_impl` in
 * src/llama-adapter.cpp, which reads values without looking at their types, and the graphs that use an adapter, which
 * assert what is not checked there.
 *
 * @param path the adapter's file.
 * @param model header of the checked model that the adapter should change.
 * @throws what {@link readGgufHeader} throws; ModelLoadError MODEL_INVALID for damage, MODEL_UNSUPPORTED for what
 *   cannot be applied, ADAPTER_MISMATCH for an adapter of another model.
 *
 * @example
 * ```ts
 * import { checkAdapterFile, checkModelFile, loadModel } from 'llama-native';
 *
 * await checkAdapterFile('adapter.gguf', await checkModelFile('model.gguf')); // throws if they do not go together
 * const model = await loadModel('model.gguf', { adapters: ['adapter.gguf'] });
 * await model.close();
 * ```
 */
export async function checkAdapterFile(
  path: string,
  model: GgufHeader,
  options: ReadHeaderOptions = {},
): Promise<GgufHeader> {
  const header = await readGgufHeader(path, options);
  checkKind(header);
  checkSameArchitecture(header, model);
  checkAlpha(header);
  checkInvocation(header);
  checkPlacement(header);
  const base = new Map((await readAllTensors(model, options)).map((tensor) => [tensor.name, tensor]));
  for (const pair of collectPairs(header)) checkPair(header, pair, base);
  return header;
}

/**
 * Refuses adapters that are more together than llama.cpp has places for in the graphs of the model. Each changed matrix
 * takes four; the rule leaves at least seven eighths of the places to the model.
 * @throws ModelLoadError MODEL_UNSUPPORTED.
 */
export function checkAdapterCount(model: GgufHeader, adapters: readonly GgufHeader[]): void {
  const architecture = architectureOf(model) ?? '';
  if (!architecturesWithFixedGraphs.has(architecture)) return;
  let changed = 0;
  for (const adapter of adapters) {
    changed += collectPairs(adapter).length;
    if (changed <= model.tensors.length) continue;
    throw unsupportedAdapter(
      adapter.path,
      `together with the adapters before it, it changes ${changed} matrices; with models of the architecture ` +
        `${architecture}, llama.cpp has room for ${model.tensors.length}. Load fewer adapters.`,
      { changed, most: model.tensors.length },
    );
  }
}

/** The text of a key that llama.cpp reads as text, whatever it is; undefined if it is missing. */
function textOf(header: GgufHeader, key: string): string | undefined {
  const entry = header.metadata.get(key);
  if (entry !== undefined && entry.type !== 'string') {
    throw invalidAdapter(
      header.path,
      `expected text for ${key}; received a value of type ${entry.type}. Convert the adapter again.`,
      { key },
    );
  }
  return stringValue(header, key);
}

function checkKind(header: GgufHeader): void {
  const kind = textOf(header, 'general.type');
  if (kind !== 'adapter') {
    throw unsupportedAdapter(
      header.path,
      `expected general.type 'adapter'; received ${kind === undefined ? 'a file that names no type' : `'${kind}'`}. ` +
        'A model is named as the source of loadModel, not among its adapters.',
    );
  }
  const method = textOf(header, 'adapter.type');
  if (method === undefined) {
    throw invalidAdapter(header.path, 'adapter.type is missing. Convert the adapter again.');
  }
  if (method !== 'lora') {
    throw unsupportedAdapter(
      header.path,
      `expected adapter.type 'lora'; received '${method}'. llama.cpp applies adapters of no other type.`,
    );
  }
  if (splitCount(header) > 1) {
    throw unsupportedAdapter(header.path, 'it is in several files. Merge them into one.');
  }
}

function checkSameArchitecture(header: GgufHeader, model: GgufHeader): void {
  const expected = architectureOf(model);
  const received = textOf(header, 'general.architecture');
  if (received === undefined) {
    throw invalidAdapter(header.path, 'general.architecture is missing. Convert the adapter again.');
  }
  if (received !== expected) {
    const reason = `expected the architecture '${expected}', that of the model; received '${received}'.`;
    throw mismatchedAdapter(header.path, reason, { expected, received });
  }
}

/** Missing, it counts as 0, which llama.cpp takes for "no factor". */
function checkAlpha(header: GgufHeader): void {
  const entry = header.metadata.get('adapter.lora.alpha');
  if (entry === undefined || (entry.type === 'float32' && Number.isFinite(entry.value))) return;
  const received = entry.type === 'float32' ? entry.value : `a value of type ${entry.type}`;
  throw invalidAdapter(
    header.path,
    `expected a finite number of type float32 for adapter.lora.alpha; received ${received}. Convert the adapter again.`,
  );
}

/** An activated LoRA is trained to change only what comes after its invocation; here adapters change everything. */
function checkInvocation(header: GgufHeader): void {
  const key = 'adapter.alora.invocation_tokens';
  const entry = header.metadata.get(key);
  if (entry === undefined) return;
  if (entry.type !== 'array' || entry.elementType !== 'uint32') {
    const received = entry.type === 'array' ? `an array of ${entry.elementType}` : entry.type;
    throw invalidAdapter(
      header.path,
      `expected an array of uint32 for ${key}; received ${received}. Convert the adapter again.`,
    );
  }
  if (entry.value.length === 0) return;
  throw unsupportedAdapter(
    header.path,
    'it is an activated LoRA (aLoRA), which applies only after its invocation tokens, and adapters are applied to all ' +
      'tokens here. Take an ordinary LoRA adapter.',
  );
}

import { abortError } from '../arguments.js';
import { createError, LlamaNativeError } from '../errors.js';
import { invalidModel } from '../gguf/invalid-model.js';
import type { Addon, NativeQuantizeOptions } from '../native/addon.js';
import { weightsOf } from './plan.js';
import type { QuantizedTensor, QuantizeProgress } from './types.js';

/** One call of llama.cpp. */
export interface NativeQuantization {
  readonly addon: Addon;
  readonly input: string;
  readonly output: string;
  readonly options: NativeQuantizeOptions;
  readonly signal: AbortSignal | undefined;
  /** Gets the number of a tensor, from 1, and how many of its weights are done. */
  readonly onProgress: (tensor: number, weights: number) => void;
}

/**
 * Runs it and gives back its log.
 * @throws AbortError; QUANTIZATION_FAILED, MODEL_INVALID, DISK_FULL, FILE_ACCESS_FAILED, OUT_OF_MEMORY; what the
 * listener of progress throws.
 */
export async function runNative(quantization: NativeQuantization): Promise<string> {
  const { addon, input, output, options, signal, onProgress } = quantization;
  if (signal?.aborted) throw abortError(signal, `Quantizing ${input}`);
  const flag = addon.createCancelFlag();
  const onAbort = () => addon.setCancelFlag(flag);
  let failure: { readonly error: unknown } | undefined;
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const log = await addon.quantize(input, output, options, flag, (tensor, weights) => {
      if (failure !== undefined || signal?.aborted) return;
      try {
        onProgress(tensor, weights);
      } catch (error) {
        failure = { error }; // the caller's own error ends the quantization and comes back to the caller
        onAbort();
      }
    });
    if (failure !== undefined) throw failure.error;
    return log;
  } catch (error) {
    if (failure !== undefined) throw failure.error;
    if (signal?.aborted) throw abortError(signal, `Quantizing ${input}`);
    throw explain(error, input);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The reason is in the last lines of llama.cpp's log. */
function explain(error: unknown, input: string): unknown {
  if (!LlamaNativeError.isInstance(error) || error.code !== 'QUANTIZATION_FAILED') return error;
  const log = error.message;
  const damaged = /tensor '(.*)' has invalid data/.exec(log)?.[1];
  if (damaged !== undefined) {
    return invalidModel(
      input,
      `tensor '${damaged}' holds numbers that are infinite or none (NaN). Get it again.`,
      {
        tensor: damaged,
      },
    );
  }
  const reason = /failed to quantize: ([\s\S]*?)\s*$/.exec(log)?.[1] ?? log.trim().split('\n').at(-1);
  if (/bad_alloc|failed to allocate/.test(log))
    return createError('OUT_OF_MEMORY', `Not enough memory to quantize ${input}.`, { cause: error });
  const unusual = /quantized data validation failed/.test(log)
    ? '\nIts weights may be too large for this type; take Q8_0 or F16.'
    : '';
  return createError('QUANTIZATION_FAILED', `llama.cpp could not quantize ${input}:\n${reason}${unusual}`, {
    cause: error,
  });
}

/** Turns the steps of the addon into progress over all weights. */
export function progressOver(
  tensors: readonly QuantizedTensor[],
  listener: ((progress: QuantizeProgress) => void) | undefined,
): (tensor: number, weights: number) => void {
  const before = [0];
  for (const tensor of tensors) before.push((before.at(-1) ?? 0) + weightsOf(tensor));
  const total = before.at(-1) ?? 1;
  return (index, weights) => {
    const tensor = tensors[index - 1];
    if (listener === undefined || tensor === undefined) return;
    const done = Math.min((before[index - 1] ?? 0) + weights, before[index] ?? total);
    const { name, sourceType, type } = tensor;
    listener({ tensor: name, index, count: tensors.length, sourceType, type, fraction: done / total });
  };
}

import { createError, type ErrorDetails, type LlamaNativeError } from '../errors.js';

/** A file that is damaged, or contradicts itself: MODEL_INVALID with the reason and what to do. */
export function invalidAdapter(path: string, reason: string, details: ErrorDetails = {}): LlamaNativeError {
  return createError('MODEL_INVALID', `${path} is not a valid LoRA adapter: ${reason}`, {
    details: { path, ...details },
  });
}

/** A file that is well-formed, but no adapter that the pinned llama.cpp can apply: MODEL_UNSUPPORTED. */
export function unsupportedAdapter(
  path: string,
  reason: string,
  details: ErrorDetails = {},
): LlamaNativeError {
  return createError('MODEL_UNSUPPORTED', `${path} cannot be used as a LoRA adapter: ${reason}`, {
    details: { path, ...details },
  });
}

/** An adapter of another model than the one it should change: ADAPTER_MISMATCH. */
export function mismatchedAdapter(
  path: string,
  reason: string,
  details: ErrorDetails = {},
): LlamaNativeError {
  const message = `${path} was made for another model: ${reason} Load the adapter with the model it was trained on.`;
  return createError('ADAPTER_MISMATCH', message, { details: { path, ...details } });
}

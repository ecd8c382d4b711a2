import { createError, type ErrorDetails, type LlamaNativeError } from '../errors.js';

/** A file that is damaged or no model at all: MODEL_INVALID with the reason and what to do. */
export function invalidModel(path: string, reason: string, details: ErrorDetails = {}): LlamaNativeError {
  return createError('MODEL_INVALID', `${path} is not a valid GGUF model: ${reason}`, {
    details: { path, ...details },
  });
}

/** A file that is well-formed, but that the pinned llama.cpp does not read: MODEL_UNSUPPORTED. */
export function unsupportedModel(path: string, reason: string, details: ErrorDetails = {}): LlamaNativeError {
  return createError('MODEL_UNSUPPORTED', `${path} cannot be loaded by llama.cpp: ${reason}`, {
    details: { path, ...details },
  });
}

import { createError, LlamaNativeError } from '../errors.js';

/**
 * Gives the failure to create a context the code that fits the reason in llama.cpp's log, and a way out.
 * @param remedy what may be changed, such as `a smaller contextSize`.
 */
export function explainContextFailure(error: unknown, contextSize: number, remedy: string): unknown {
  if (!LlamaNativeError.isInstance(error) || error.code !== 'CONTEXT_CREATE_FAILED') return error;
  const code = /allocate|out of memory/i.test(error.message) ? 'OUT_OF_MEMORY' : 'CONTEXT_CREATE_FAILED';
  const message =
    `A context of ${contextSize} tokens could not be created:\n${error.message || 'llama.cpp gave no reason'}\n` +
    `Try ${remedy}.`;
  return createError(code, message, { cause: error, details: { contextSize } });
}

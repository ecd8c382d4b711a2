import { createError, type ErrorDetails, type LlamaNativeError } from '../../errors.js';

/** A checkpoint that is damaged, incomplete or none: CHECKPOINT_INVALID with the reason and what to do. */
export function invalidCheckpoint(
  path: string,
  reason: string,
  details: ErrorDetails = {},
  cause?: unknown,
): LlamaNativeError {
  return createError('CHECKPOINT_INVALID', `${path} is not a valid checkpoint: ${reason}`, {
    cause,
    details: { path, ...details },
  });
}

/** A checkpoint that is well-formed, but of a kind that cannot be converted: CHECKPOINT_UNSUPPORTED. */
export function unsupportedCheckpoint(
  path: string,
  reason: string,
  details: ErrorDetails = {},
): LlamaNativeError {
  return createError('CHECKPOINT_UNSUPPORTED', `${path} cannot be converted: ${reason}`, {
    details: { path, ...details },
  });
}

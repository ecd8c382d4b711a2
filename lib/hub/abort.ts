import { createError, type LlamaNativeError } from '../errors.js';

export function abortedError(signal: AbortSignal): LlamaNativeError {
  return createError('ABORTED', 'The download was cancelled; what was received is kept for the next call.', {
    cause: signal.reason,
  });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

/** Waits; ends at once with `ABORTED` when the signal fires. */
export function delay(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const finish = () => {
      signal?.removeEventListener('abort', cancel);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    const cancel = () => {
      clearTimeout(timer);
      if (signal) reject(abortedError(signal));
    };
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

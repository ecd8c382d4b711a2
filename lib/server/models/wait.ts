/** How long to wait, and what to say afterwards. */
export interface WaitLimit {
  readonly milliseconds: number;
  readonly tooLate: () => Error;
}

/** As the promise, but rejects with the signal's reason when that fires, and after a time. What is waited for goes on. */
export function waitFor<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
  limit?: WaitLimit,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = () => settle(() => reject(signal.reason));
    const timer = limit && setTimeout(() => settle(() => reject(limit.tooLate())), limit.milliseconds);
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      finish();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    promise.then(
      (result) => settle(() => resolve(result)),
      (error: unknown) => settle(() => reject(error)),
    );
    if (signal.aborted) giveUp();
  });
}

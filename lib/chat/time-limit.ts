import { createError } from '../errors.js';

/** Templates take milliseconds; one that takes so long does not end, or not while anybody waits. */
const renderingLimitMs = 10_000;

/** After a time in which the event loop stood still, a result that waits in it comes before the verdict. */
const graceMs = 50;

interface TimeLimit {
  /** Default: ten seconds. */
  readonly limitMs?: number;
  /** Called when it was exceeded. */
  readonly onLimit?: () => void;
}

/**
 * Settles as the rendering of a template does, or fails when it takes too long. Native code cannot be interrupted: the
 * thread that renders is left behind, until its process ends.
 * @throws ChatError CHAT_TEMPLATE_FAILED.
 */
export async function withinTimeLimit<Result>(
  rendering: Promise<Result>,
  { limitMs = renderingLimitMs, onLimit }: TimeLimit = {},
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const giveUp = () => {
      reject(tooSlow(limitMs));
      onLimit?.();
    };
    timer = setTimeout(() => {
      timer = setTimeout(giveUp, graceMs);
    }, limitMs);
  });
  rendering.catch(() => {}); // nobody hears it any more if it fails after the limit
  try {
    return await Promise.race([rendering, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function tooSlow(limitMs: number): Error {
  return createError(
    'CHAT_TEMPLATE_FAILED',
    `The chat template was still being rendered after ${limitMs / 1000} s. It probably loops without end; use another ` +
      'template. Its thread goes on until its process ends.',
    { details: { limitMs } },
  );
}

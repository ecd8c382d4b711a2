import type { Failure, FailureKind } from '../failures.js';

/** What Text Generation Inference calls kinds of failures, and answers them with where that is another status. */
const names: Readonly<Record<FailureKind, { readonly type: string; readonly status?: number }>> = {
  'invalid-request': { type: 'validation', status: 422 },
  unauthenticated: { type: 'authentication' },
  forbidden: { type: 'permission' },
  'not-found': { type: 'not_found' },
  'too-large': { type: 'validation' },
  'rate-limited': { type: 'overloaded' },
  timeout: { type: 'incomplete_generation' },
  overloaded: { type: 'overloaded' },
  cancelled: { type: 'incomplete_generation' },
  internal: { type: 'generation' },
};

/** A failure in the shape of Text Generation Inference. */
export function toTextGenerationError({ kind, message }: Failure): object {
  return { error: message, error_type: names[kind].type };
}

/** The status that Text Generation Inference answers a failure with. */
export function textGenerationStatus({ kind, status }: Failure): number {
  return names[kind].status ?? status;
}

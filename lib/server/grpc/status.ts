import type { Metadata, StatusObject } from '@grpc/grpc-js';
import type { Failure, FailureKind } from '../failures.js';

/** Codes of gRPC: https://grpc.io/docs/guides/status-codes/ */
const codes: Readonly<Record<FailureKind, number>> = {
  cancelled: 1,
  'invalid-request': 3,
  timeout: 4,
  'not-found': 5,
  forbidden: 7,
  'too-large': 8,
  'rate-limited': 8,
  internal: 13,
  overloaded: 14,
  unauthenticated: 16,
};

/**
 * A failure as gRPC tells it: its code, and in the metadata at the end what HTTP says in fields and headers: `error-code`,
 * `error-param`, `retry-after`, `x-request-id`.
 */
export function toStatus(failure: Failure, requestId: string, metadata: Metadata): StatusObject {
  const { kind, code, message, param, retryAfterSeconds } = failure;
  metadata.set('x-request-id', requestId);
  metadata.set('error-code', code);
  // Values of metadata are printable ASCII.
  if (param !== undefined && /^[\x20-\x7e]+$/.test(param)) metadata.set('error-param', param);
  if (retryAfterSeconds !== undefined) metadata.set('retry-after', String(retryAfterSeconds));
  return { code: codes[kind], details: message, metadata };
}

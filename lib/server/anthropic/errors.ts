import type { FastifyRequest } from 'fastify';
import type { Failure, FailureKind } from '../failures.js';

const types: Readonly<Record<FailureKind, string>> = {
  'invalid-request': 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  'not-found': 'not_found_error',
  'too-large': 'request_too_large',
  'rate-limited': 'rate_limit_error',
  timeout: 'timeout_error',
  overloaded: 'overloaded_error',
  cancelled: 'api_error',
  internal: 'api_error',
};

/** A failure in the shape of Anthropic's API, as the body of an answer or the data of an `error` event. */
export function toAnthropicError({ kind, message }: Failure, { id }: Pick<FastifyRequest, 'id'>): object {
  return { type: 'error', error: { type: types[kind], message }, request_id: id };
}

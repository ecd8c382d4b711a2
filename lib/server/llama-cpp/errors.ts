import type { Failure, FailureKind } from '../failures.js';

const types: Readonly<Record<FailureKind, string>> = {
  'invalid-request': 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  'not-found': 'not_found_error',
  'too-large': 'invalid_request_error',
  'rate-limited': 'unavailable_error',
  timeout: 'server_error',
  overloaded: 'unavailable_error',
  cancelled: 'server_error',
  internal: 'server_error',
};

/** llama-server's names for failures that have one of their own. */
const typesOfCodes: Readonly<Record<string, string>> = {
  context_length_exceeded: 'exceed_context_size_error',
  not_supported: 'not_supported_error',
};

/** A failure in the shape of llama-server. */
export function toLlamaCppError({ kind, status, code, message, param, sizes }: Failure): object {
  const type = typesOfCodes[code] ?? types[kind];
  return {
    error: {
      code: status,
      message,
      type,
      ...(param !== undefined && { param }),
      ...(sizes && { n_prompt_tokens: sizes.promptTokens, n_ctx: sizes.contextSize }),
    },
  };
}

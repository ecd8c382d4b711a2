import { LlamaNativeError } from '../../index.js';
import { type Failure, type FailureKind, RequestError, toFailure } from '../failures.js';
import { fieldOfOption } from './sampling.js';

const types: Readonly<Record<FailureKind, string>> = {
  'invalid-request': 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  'not-found': 'invalid_request_error',
  'too-large': 'invalid_request_error',
  'rate-limited': 'rate_limit_error',
  timeout: 'server_error',
  overloaded: 'server_error',
  cancelled: 'server_error',
  internal: 'server_error',
};

/** A failure in the shape of OpenAI's API. */
export function toOpenaiError({ kind, message, param, code }: Failure): {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
} {
  return { error: { message, type: types[kind], param: param ?? null, code } };
}

/** Where in a request the failures of the library have their cause. */
export interface CauseNames {
  /** What the model is to read: `messages`, `prompt` or `input`. */
  readonly input: string;
  /** What the answer's form comes from: `response_format` or `text.format`. */
  readonly format: string;
  readonly maxTokens: string;
  /** What token ids come from. */
  readonly tokens: string;
}

/** The field that a failure of the library is about; undefined if it is about none. */
function paramOf({ code, details }: LlamaNativeError, names: CauseNames): string | undefined {
  switch (code) {
    case 'INVALID_MESSAGES':
      return typeof details.index === 'number' && details.index >= 0
        ? `${names.input}[${details.index}]`
        : names.input;
    case 'CONTENT_UNSUPPORTED':
    case 'PROMPT_TOO_LONG':
    case 'CHAT_TEMPLATE_FAILED':
    case 'NO_CHAT_TEMPLATE':
    case 'CONTEXT_FULL':
      return names.input;
    case 'INVALID_TOKEN':
      return names.tokens;
    case 'INVALID_TOOL':
    case 'TOOL_NOT_FOUND':
      return 'tools';
    case 'INVALID_SCHEMA':
      return names.format;
    case 'INVALID_GRAMMAR':
      return 'grammar';
    case 'MODEL_UNSUPPORTED':
    case 'NO_WEIGHTS':
      return 'model';
    default:
      break;
  }
  if (typeof details.index === 'number') return `${names.input}[${details.index}]`;
  if (details.name === 'maxTokens') return names.maxTokens;
  if (details.name === 'jsonSchema') return names.format;
  if (typeof details.name === 'string') return fieldOfOption[details.name] ?? details.name;
  return code === 'INVALID_ARGUMENT' ? names.input : undefined;
}

/** The same failure, if it is the client's, with the name that its cause has in the request. */
export function nameCause(error: unknown, names: CauseNames): unknown {
  if (!LlamaNativeError.isInstance(error)) return error;
  const { kind, code, message, sizes } = toFailure(error);
  if (kind !== 'invalid-request') return error;
  const param = paramOf(error, names);
  return new RequestError(kind, code, message, {
    cause: error,
    ...(param !== undefined && { param }),
    ...(sizes !== undefined && { sizes }),
  });
}

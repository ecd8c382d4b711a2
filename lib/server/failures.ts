import { type ErrorCode, LlamaNativeError } from '../index.js';

/** What went wrong with a request, in the words that all APIs have a name for. */
export type FailureKind =
  | 'invalid-request'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'too-large'
  | 'rate-limited'
  | 'timeout'
  | 'overloaded'
  | 'cancelled'
  | 'internal';

/** A failure as a client is told of it; each API puts it into its own shape. */
export interface Failure {
  readonly kind: FailureKind;
  /** Status of an HTTP answer. */
  readonly status: number;
  /** A stable code in small letters, such as `model_not_found`. */
  readonly code: string;
  readonly message: string;
  /** The field of the request that is wrong. */
  readonly param?: string;
  /** When it makes sense to try again. */
  readonly retryAfterSeconds?: number;
  /** Of a prompt that is too long. */
  readonly sizes?: PromptSizes;
}

/** How long a prompt is, and how long it may be, in tokens. */
export interface PromptSizes {
  readonly promptTokens: number;
  readonly contextSize: number;
}

const statuses: Readonly<Record<FailureKind, number>> = {
  'invalid-request': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'too-large': 413,
  'rate-limited': 429,
  timeout: 504,
  overloaded: 503,
  cancelled: 499,
  internal: 500,
};

/** Thrown by the server's own rooms where a request cannot be served. */
export class RequestError extends Error implements Failure {
  override readonly name = 'RequestError';
  readonly kind: FailureKind;
  readonly status: number;
  readonly code: string;
  readonly param?: string;
  readonly retryAfterSeconds?: number;
  readonly sizes?: PromptSizes;

  constructor(
    kind: FailureKind,
    code: string,
    message: string,
    more: {
      param?: string;
      retryAfterSeconds?: number;
      sizes?: PromptSizes;
      cause?: unknown;
      status?: number;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.kind = kind;
    this.status = more.status ?? statuses[kind];
    this.code = code;
    if (more.param !== undefined) this.param = more.param;
    if (more.retryAfterSeconds !== undefined) this.retryAfterSeconds = more.retryAfterSeconds;
    if (more.sizes !== undefined) this.sizes = more.sizes;
  }
}

/** The error of a field that is not what it should be. */
export function invalidField(param: string, message: string): RequestError {
  return new RequestError('invalid-request', 'invalid_value', message, { param });
}

/** The error of what cannot be served because the server ends. */
export function serverClosing(): RequestError {
  const message = 'The server is shutting down. Try again later, or another server.';
  return new RequestError('overloaded', 'shutting_down', message, { retryAfterSeconds: 5 });
}

/** Failures of the library that a client can do something about. What is not here is the server's own trouble. */
const kinds: Partial<Record<ErrorCode, FailureKind>> = {
  INVALID_ARGUMENT: 'invalid-request',
  INVALID_TOKEN: 'invalid-request',
  INVALID_GRAMMAR: 'invalid-request',
  INVALID_SCHEMA: 'invalid-request',
  INVALID_REGEX: 'invalid-request',
  INVALID_MESSAGES: 'invalid-request',
  INVALID_TOOL: 'invalid-request',
  TOOL_NOT_FOUND: 'invalid-request',
  CONTENT_UNSUPPORTED: 'invalid-request',
  NO_CHAT_TEMPLATE: 'invalid-request',
  CHAT_TEMPLATE_FAILED: 'invalid-request',
  MODEL_UNSUPPORTED: 'invalid-request',
  PROMPT_TOO_LONG: 'invalid-request',
  NO_TOKEN_ALLOWED: 'invalid-request',
  CONTEXT_FULL: 'invalid-request',
  ABORTED: 'cancelled',
  QUEUE_FULL: 'rate-limited',
  CLOSED: 'overloaded',
  BUSY: 'overloaded',
  ENGINE_CRASHED: 'overloaded',
  ENGINE_START_FAILED: 'overloaded',
  OUT_OF_MEMORY: 'overloaded',
};

/** Codes that clients of OpenAI's API know under another name. */
const knownCodes: Partial<Record<ErrorCode, string>> = {
  PROMPT_TOO_LONG: 'context_length_exceeded',
  INVALID_ARGUMENT: 'invalid_value',
};

/** Where the library says what is of no use to a client: processes, files, the last words of an engine. */
const plainMessages: Partial<Record<ErrorCode, string>> = {
  ENGINE_CRASHED:
    'The engine of the model crashed at this request and is started again. Try again in a moment.',
  ENGINE_START_FAILED: 'The engine of the model does not run at the moment. Try again later.',
  CLOSED: 'The model was unloaded while it worked on this request. Try again.',
};

/** When to try again what is not possible now. */
function retryAfterSecondsOf({ details: { retryAfterMs } }: LlamaNativeError): number {
  return typeof retryAfterMs === 'number' ? Math.max(1, Math.ceil(retryAfterMs / 1000)) : 1;
}

function sizesOf({
  code,
  details: { promptTokens, contextSize },
}: LlamaNativeError): PromptSizes | undefined {
  if (code !== 'PROMPT_TOO_LONG') return undefined;
  if (typeof promptTokens !== 'number' || typeof contextSize !== 'number') return undefined;
  return { promptTokens, contextSize };
}

function fromLibrary(error: LlamaNativeError): Failure {
  const kind = kinds[error.code] ?? 'internal';
  const sizes = sizesOf(error);
  const { name } = error.details;
  return {
    kind,
    status: statuses[kind],
    code: knownCodes[error.code] ?? error.code.toLowerCase(),
    message: plainMessages[error.code] ?? error.message,
    ...(kind === 'invalid-request' && typeof name === 'string' && { param: name }),
    ...((kind === 'overloaded' || kind === 'rate-limited') && {
      retryAfterSeconds: retryAfterSecondsOf(error),
    }),
    ...(sizes !== undefined && { sizes }),
  };
}

interface FastifyFailure {
  readonly statusCode: number;
  readonly code?: string;
  readonly message: string;
  readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[];
}

function isFastifyFailure(error: unknown): error is FastifyFailure {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number';
}

const fastifyKinds: Readonly<Record<number, FailureKind>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  413: 'too-large',
  429: 'rate-limited',
  503: 'overloaded',
};

/** `/messages/0/role` as clients know it: `messages[0].role`. */
export function toParam(instancePath: string): string {
  return instancePath
    .slice(1)
    .replaceAll(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.');
}

function fromFastify(error: FastifyFailure): Failure {
  const kind = fastifyKinds[error.statusCode] ?? (error.statusCode < 500 ? 'invalid-request' : 'internal');
  const param = error.validation?.[0] === undefined ? '' : toParam(error.validation[0].instancePath);
  return {
    kind,
    status: error.statusCode,
    code: error.validation === undefined ? (error.code ?? kind).toLowerCase() : 'invalid_value',
    message: kind === 'internal' ? hiddenMessage : error.message,
    ...(param !== '' && { param }),
  };
}

const hiddenMessage = 'The server failed. Its log says why, under the id of this request.';

/** What a client is told of any error. Says nothing of the inside of errors that nobody foresaw. */
export function toFailure(error: unknown): Failure {
  if (error instanceof RequestError) return error;
  if (LlamaNativeError.isInstance(error)) return fromLibrary(error);
  if (isFastifyFailure(error)) return fromFastify(error);
  return { kind: 'internal', status: 500, code: 'internal_error', message: hiddenMessage };
}

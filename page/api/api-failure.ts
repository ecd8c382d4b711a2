/** What the server, or the way to it, answered instead of what was asked for. */
export class ApiFailure extends Error {
  /** Status of the answer; 0 if there was none. */
  readonly status: number;
  readonly code: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, more: { status: number; code?: string; retryAfterSeconds?: number }) {
    super(message);
    this.status = more.status;
    this.code = more.code;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}

interface ErrorBody {
  readonly error?: string | { readonly message?: string; readonly code?: unknown };
  readonly code?: unknown;
}

/** Reads a failure from the body of an answer, in whichever of the server's shapes it is. */
export function toApiFailure(body: unknown, status: number, retryAfter?: string | null): ApiFailure {
  const { error, code: outerCode } = (typeof body === 'object' && body !== null ? body : {}) as ErrorBody;
  const inner = typeof error === 'object' && error !== null ? error : { message: error };
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : outerCode;
  const seconds = Number(retryAfter ?? Number.NaN);
  return new ApiFailure(typeof inner.message === 'string' ? inner.message : '', {
    status,
    ...(typeof code === 'string' && { code }),
    ...(Number.isFinite(seconds) && retryAfter !== '' && { retryAfterSeconds: seconds }),
  });
}

/** The failure of an answer whose status says that it failed. */
export async function readApiFailure(response: Response): Promise<ApiFailure> {
  const body: unknown = await response.json().catch(() => undefined); // a proxy may answer with something else
  return toApiFailure(body, response.status, response.headers.get('retry-after'));
}

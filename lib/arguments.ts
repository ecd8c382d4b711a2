import { createError, type LlamaNativeError } from './errors.js';

/** Describes a value in an error message, short enough to read. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'no class'})`;
  return String(value);
}

/** The error for an argument that is not what it should be. */
export function invalidArgument(name: string, expected: string, received: unknown): LlamaNativeError {
  return createError(
    'INVALID_ARGUMENT',
    `Expected ${expected} for ${name}; received ${describeValue(received)} of type ${typeof received}.`,
    { details: { name, expected } },
  );
}

/** Checks an optional number; NaN and infinities are refused. */
export function checkNumber(name: string, value: number | undefined, lowest: number, highest: number): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || !(value >= lowest && value <= highest)) {
    throw invalidArgument(name, `a number from ${lowest} to ${highest}`, value);
  }
}

/** Checks an optional whole number. */
export function checkInteger(name: string, value: number | undefined, lowest: number, highest: number): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < lowest || value > highest) {
    throw invalidArgument(name, `a whole number from ${lowest} to ${highest}`, value);
  }
}

/** Checks an optional boolean. */
export function checkBoolean(name: string, value: boolean | undefined): void {
  if (value !== undefined && typeof value !== 'boolean') throw invalidArgument(name, 'true or false', value);
}

/** Checks an optional text. */
export function checkString(name: string, value: string | undefined): void {
  if (value !== undefined && typeof value !== 'string') throw invalidArgument(name, 'a string', value);
}

const cacheTypes = ['f32', 'f16', 'q8_0', 'q4_0'];

/** Checks an optional type of cached keys or values. */
export function checkCacheType(name: string, value: string | undefined): void {
  if (value !== undefined && !cacheTypes.includes(value)) {
    throw invalidArgument(name, `one of ${cacheTypes.join(', ')}`, value);
  }
}

/** Checks an optional function. */
export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw invalidArgument(name, 'a function', value);
}

/** Checks an optional AbortSignal. */
export function checkSignal(value: AbortSignal | undefined): void {
  if (value !== undefined && !(value instanceof AbortSignal))
    throw invalidArgument('signal', 'an AbortSignal', value);
}

/** Checks that options are an object, and that all its keys are known: a misspelt option must not be ignored. */
export function checkKeys(name: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgument(name, 'an object', options);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw createError(
      'INVALID_ARGUMENT',
      `Unknown option ${key} in ${name}. Known are: ${known.join(', ')}.`,
      {
        details: { name: key },
      },
    );
  }
}

/** The error of a call that was cancelled. */
export function abortError(
  signal: AbortSignal,
  what: string,
  details: Record<string, unknown> = {},
): LlamaNativeError {
  return createError('ABORTED', `${what} was cancelled.`, { cause: signal.reason, details });
}

/** Tokens in the form the addon takes; ids are checked there against the vocabulary. */
export function toTokenArray(name: string, tokens: Int32Array | readonly number[]): Int32Array {
  if (tokens instanceof Int32Array) return tokens;
  if (!Array.isArray(tokens)) throw invalidArgument(name, 'an Int32Array or an array of token ids', tokens);
  for (const token of tokens) {
    if (!Number.isInteger(token) || token < 0 || token > 0x7fffffff) {
      throw createError(
        'INVALID_TOKEN',
        `Expected whole numbers from 0 as token ids in ${name}; received ${describeValue(token)}.`,
      );
    }
  }
  return Int32Array.from(tokens);
}

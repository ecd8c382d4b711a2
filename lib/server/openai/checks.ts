import { describeValue } from '../../arguments.js';
import { invalidField, type RequestError } from '../failures.js';

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The error of a field that is not what it should be, in the words of the whole package. */
export function unexpected(param: string, expected: string, received: unknown): RequestError {
  return invalidField(param, `Expected ${expected} for ${param}; received ${describeValue(received)}.`);
}

/** True for what JSON calls an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws RequestError 400 naming the field. */
export function readObject(value: unknown, param: string, expected = 'an object'): JsonObject {
  if (!isObject(value)) throw unexpected(param, expected, value);
  return value;
}

/** @throws RequestError 400 naming the field. */
export function readArray(value: unknown, param: string, expected = 'an array'): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected(param, expected, value);
  return value;
}

/** @throws RequestError 400 naming the field. */
export function readText(value: unknown, param: string, expected = 'a string'): string {
  if (typeof value !== 'string') throw unexpected(param, expected, value);
  return value;
}

/** A text that may be left out; null counts as left out, as in all of OpenAI's API. */
export function readOptionalText(value: unknown, param: string): string | undefined {
  return value === undefined || value === null ? undefined : readText(value, param);
}

/** Inputs are JSON, so that each can be kept as a file that people read and tools cut down. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** A JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Stands in JSON for a value that JSON has no way to write. */
export type SpecialName = 'NaN' | 'Infinity' | '-Infinity' | '-0' | 'undefined' | 'bigint' | 'deep' | 'cycle';

export function special(name: SpecialName): JsonObject {
  return { $: name };
}

const specials: Readonly<Record<SpecialName, () => unknown>> = {
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  '-0': () => -0,
  undefined: () => undefined,
  bigint: () => 7n,
  deep: () => nested(50_000),
  cycle: () => {
    const value: { self?: unknown } = {};
    value.self = value;
    return value;
  },
};

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/** The value that an input stands for, with what {@link special} wrote. */
export function toValue(json: Json | undefined): unknown {
  if (Array.isArray(json)) return json.map(toValue);
  if (!isObject(json)) return json;
  const make =
    typeof json.$ === 'string' && Object.keys(json).length === 1 && specials[json.$ as SpecialName];
  if (make) return make();
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, toValue(value)]));
}

/** Bytes as a text in JSON. */
export function packBytes(bytes: Uint8Array): string {
  return deflateRawSync(bytes, { level: 9 }).toString('base64');
}

export function unpackBytes(text: Json | undefined): Buffer {
  return inflateRawSync(Buffer.from(String(text), 'base64'));
}

import type { GgufArray, GgufArrayValues, GgufElementType, GgufHeader } from './types.js';

/** Value of a string key; undefined where it is missing or of another type. */
export function stringValue(header: GgufHeader, key: string): string | undefined {
  const entry = header.metadata.get(key);
  return entry?.type === 'string' ? entry.value : undefined;
}

/** Value of a key of type uint32, the type llama.cpp wants for every count; undefined otherwise. */
export function uint32Value(header: GgufHeader, key: string): number | undefined {
  const entry = header.metadata.get(key);
  return entry?.type === 'uint32' ? entry.value : undefined;
}

/** Value of a boolean key; undefined where it is missing or of another type. */
export function booleanValue(header: GgufHeader, key: string): boolean | undefined {
  const entry = header.metadata.get(key);
  return entry?.type === 'bool' ? entry.value : undefined;
}

/** Value of a float32 key; undefined where it is missing or of another type. */
export function floatValue(header: GgufHeader, key: string): number | undefined {
  const entry = header.metadata.get(key);
  return entry?.type === 'float32' ? entry.value : undefined;
}

/** An array key of any element type; undefined where it is missing or no array. */
export function arrayEntry(header: GgufHeader, key: string): GgufArray | undefined {
  const entry = header.metadata.get(key);
  return entry?.type === 'array' ? entry : undefined;
}

/** The elements of an array key of one element type; undefined where it is missing or of another type. */
export function arrayValues<Element extends GgufElementType>(
  header: GgufHeader,
  key: string,
  elementType: Element,
): GgufArrayValues[Element] | undefined {
  const entry = arrayEntry(header, key);
  return entry?.elementType === elementType ? (entry.value as GgufArrayValues[Element]) : undefined;
}

/** `general.architecture`, or undefined where the file names none. */
export function architectureOf(header: GgufHeader): string | undefined {
  return stringValue(header, 'general.architecture');
}

import Type, { type TOptional, type TUnsafe } from 'typebox';

/** A field that may be left out. OpenAI's clients send null for what they leave out. */
export type OptionalField<Value> = TOptional<TUnsafe<Value | null>>;

interface Bounds {
  readonly minimum?: number;
  readonly maximum?: number;
}

function optional<Value>(schema: object): OptionalField<Value> {
  return Type.Optional(Type.Unsafe<Value | null>(schema));
}

/** A number that may be left out. */
export function optionalNumber(description: string, bounds: Bounds = {}): OptionalField<number> {
  return optional({ type: ['number', 'null'], description, ...bounds });
}

/** A whole number that may be left out. */
export function optionalInteger(description: string, bounds: Bounds = {}): OptionalField<number> {
  return optional({ type: ['integer', 'null'], description, ...bounds });
}

/** True, false, or left out. */
export function optionalBoolean(description: string): OptionalField<boolean> {
  return optional({ type: ['boolean', 'null'], description });
}

/** A text that may be left out. */
export function optionalText(description: string): OptionalField<string> {
  return optional({ type: ['string', 'null'], description });
}

/** An object that may be left out; the translation looks into it. */
export function optionalObject(description: string): OptionalField<Record<string, unknown>> {
  return optional({ type: ['object', 'null'], description, additionalProperties: true });
}

/** An array that may be left out; the translation looks into it. */
export function optionalArray(description: string): OptionalField<readonly unknown[]> {
  return optional({ type: ['array', 'null'], description, items: {} });
}

/** One of several types, or left out; the translation tells which. */
export function optionalOneOf<Value>(
  types: readonly ('string' | 'array' | 'object' | 'boolean' | 'integer')[],
  description: string,
): OptionalField<Value> {
  return optional({ type: [...types, 'null'], description });
}

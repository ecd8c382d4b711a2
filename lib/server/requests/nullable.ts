import Type, { type TSchema, type TUnion } from 'typebox';

/** A field that may be left out or be null, which many clients send for what they do not set. */
export function Nullable<Schema extends TSchema>(schema: Schema) {
  return Type.Optional(Type.Union([schema, Type.Null()]) as TUnion<[Schema, ReturnType<typeof Type.Null>]>);
}

/** The values that are neither undefined nor null. */
export function withoutNothing<Values extends object>(
  values: Values,
): { [Key in keyof Values]?: Exclude<Values[Key], null | undefined> } {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== null),
  ) as { [Key in keyof Values]?: Exclude<Values[Key], null | undefined> };
}

import type { StandardSchema } from './types.js';

/** Whether a schema comes from a schema library; such a schema may also be a function, as ArkType's. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && '~standard' in value;
}

/**
 * The JSON schema of the values that a schema takes, before it transforms them.
 * @throws Error if its library brings no conversion, or cannot express the schema.
 */
export function standardToJsonSchema(schema: StandardSchema): object {
  const { jsonSchema, vendor } = schema['~standard'];
  if (jsonSchema !== undefined) return jsonSchema.input({ target: 'draft-2020-12' });
  const { toJSONSchema } = schema as { toJSONSchema?: (options: object) => object };
  if (typeof toJSONSchema === 'function') return toJSONSchema.call(schema, { io: 'input' });
  throw new Error(
    `it is a schema of ${vendor}, which brings no conversion to JSON Schema. Use a version that follows Standard JSON Schema (Zod 4.2 does), or give a JSON schema.`,
  );
}

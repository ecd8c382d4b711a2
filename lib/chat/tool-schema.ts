import { createError, type LlamaNativeError } from '../errors.js';
import { toJsonText } from './check-messages.js';
import type { Json } from './native-messages.js';
import type { StandardSchema } from './schema-types.js';
import type { Tool } from './tool.js';

/** The error for a tool that is described wrongly. */
export function invalidTool(name: string, problem: string, cause?: unknown): LlamaNativeError {
  return createError('INVALID_TOOL', `The tool ${JSON.stringify(name)} ${problem}`, {
    cause,
    details: { name },
  });
}

/** Whether parameters come from a schema library; such a schema may also be a function, as ArkType's. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && '~standard' in value;
}

function convertStandardSchema(name: string, schema: StandardSchema): object {
  const { jsonSchema, vendor } = schema['~standard'];
  if (jsonSchema !== undefined) return jsonSchema.input({ target: 'draft-2020-12' });
  const { toJSONSchema } = schema as { toJSONSchema?: () => object };
  if (typeof toJSONSchema === 'function') return toJSONSchema.call(schema);
  throw invalidTool(
    name,
    `has parameters of ${vendor}, which brings no conversion to JSON Schema. Use a version that follows Standard JSON Schema (Zod 4.2 does), or give a JSON schema.`,
  );
}

/**
 * The JSON schema of a tool's parameters, as plain data.
 * @throws ToolError INVALID_TOOL.
 */
export function toParameterSchema(name: string, { parameters }: Tool): { readonly [key: string]: Json } {
  if (parameters === undefined) return { type: 'object', properties: {} };
  let schema: object;
  let text: string;
  try {
    schema = isStandardSchema(parameters) ? convertStandardSchema(name, parameters) : parameters;
    text = toJsonText('parameters', schema);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidTool(name, `has parameters that cannot be used: ${reason}`, error);
  }
  const plain: unknown = JSON.parse(text);
  const type = (plain as { type?: unknown } | null)?.type;
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain) || type !== 'object') {
    throw invalidTool(name, "has parameters that are no JSON schema of an object. Expected type: 'object'.");
  }
  return plain as { readonly [key: string]: Json };
}

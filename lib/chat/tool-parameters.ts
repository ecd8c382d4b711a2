import type { Json } from './native-messages.js';
import { isSchema, type Schema } from './value-grammar.js';

/** A tool as the rules of its calls have to know it. */
export interface ToolParameters {
  readonly name: string;
  /** What references point into. */
  readonly schema: Schema;
  readonly properties: ReadonlyMap<string, Json>;
  readonly required: ReadonlySet<Json>;
}

/** Reads a tool in the form that templates take. */
export function toToolParameters(tool: Json): ToolParameters {
  const { name, parameters = {} } = (tool as { function: { name: string; parameters?: Schema } }).function;
  const { properties, required } = parameters;
  return {
    name,
    schema: parameters,
    properties: new Map(Object.entries(isSchema(properties) ? properties : {})),
    required: new Set(Array.isArray(required) ? required : []),
  };
}

import { type JsonSchema, LlamaNativeError } from '../index.js';

/** A keyword of a schema that no grammar can hold an answer to. */
export interface DroppedKeyword {
  /** Where in the schema, such as `#/properties/age`. */
  readonly path: string;
  readonly keyword: string;
}

/** Keywords without which a schema allows more, never less. */
const droppable = new Set([
  'additionalItems',
  'contains',
  'dependencies',
  'dependentRequired',
  'dependentSchemas',
  'else',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'if',
  'maxContains',
  'maximum',
  'maxItems',
  'maxLength',
  'maxProperties',
  'minContains',
  'minimum',
  'minItems',
  'minLength',
  'minProperties',
  'multipleOf',
  'not',
  'pattern',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
  'uniqueItems',
]);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schema at a path; undefined where the path does not lead to one. */
function schemaAt(root: JsonSchema, path: string): Record<string, unknown> | undefined {
  let target: unknown = root;
  for (const key of path.split('/').slice(1)) {
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, key)) return undefined;
    target = (target as Record<string, unknown>)[key];
  }
  return isObject(target) ? target : undefined;
}

/**
 * Tries a schema, and tries again without each keyword that is refused, as long as the schema then only allows more.
 * Other libraries check the answer against the whole schema afterwards, so that a narrow keyword is no reason to fail.
 * @param attempt throws INVALID_SCHEMA for what a grammar cannot express.
 * @throws what `attempt` throws for anything else.
 */
export function withWidenedSchema<Result>(
  schema: JsonSchema,
  attempt: (schema: JsonSchema) => Result,
): { readonly result: Result; readonly dropped: readonly DroppedKeyword[] } {
  const widened = structuredClone(schema);
  const dropped: DroppedKeyword[] = [];
  while (true) {
    try {
      return { result: attempt(widened), dropped };
    } catch (error) {
      if (!LlamaNativeError.isInstance(error) || error.code !== 'INVALID_SCHEMA') throw error;
      const { path, keyword } = error.details as { path?: string; keyword?: string };
      if (path === undefined || keyword === undefined || !droppable.has(keyword)) throw error;
      const target = schemaAt(widened, path);
      if (target === undefined || !Object.hasOwn(target, keyword)) throw error;
      const { type: namesType, ...namesRest } = isObject(target[keyword]) ? target[keyword] : {};
      delete target[keyword];
      // What Zod writes for a record: the names of properties are texts anyway.
      const asksNothing =
        keyword === 'propertyNames' && namesType === 'string' && Object.keys(namesRest).length === 0;
      if (!asksNothing) dropped.push({ path, keyword });
    }
  }
}

/** Asks, in words, for JSON that fits a schema: a grammar alone does not tell the model what is wanted. */
export function describeSchema(schema: JsonSchema | undefined, description?: string): string {
  const purpose = description === undefined ? '' : `${description}\n`;
  if (schema === undefined) return `${purpose}Answer with a JSON object and nothing else.`;
  const { $schema: _version, ...shown } = schema;
  return `${purpose}Answer with JSON that fits this JSON schema, and nothing else:\n${JSON.stringify(shown)}`;
}

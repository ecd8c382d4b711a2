import type { Json } from './native-messages.js';
import { isSchema, resolveReference, type Schema } from './value-grammar.js';

/** Keywords whose values are no schemas. */
const values = new Set(['const', 'enum', 'default', 'examples']);

/** Whether a schema is its own part without anything in between: no value would ever be written. */
function returnsToItself(
  schema: Json | undefined,
  root: Schema,
  open: ReadonlySet<string> = new Set(),
): boolean {
  if (!isSchema(schema)) return false;
  const { $ref: reference, anyOf, oneOf, allOf } = schema;
  if (typeof reference === 'string') {
    if (open.has(reference)) return true;
    return returnsToItself(resolveReference(root, reference), root, new Set([...open, reference]));
  }
  const parts = [anyOf, oneOf, allOf].flatMap((list) =>
    Array.isArray(list) ? (list as readonly Json[]) : [],
  );
  return parts.some((part) => returnsToItself(part, root, open));
}

/**
 * What is wrong with the references of a schema: llama.cpp does not look at them in every form of calls.
 * @returns undefined if nothing is.
 */
export function findReferenceProblem(schema: Json | undefined, root: Schema): string | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  if (isSchema(schema) && typeof schema.$ref === 'string') {
    const written = JSON.stringify(schema.$ref);
    if (!/^#(?:\/|$)/.test(schema.$ref)) return `${written} does not point into the same schema (#/…)`;
    if (resolveReference(root, schema.$ref) === undefined) return `${written} points to nothing`;
    if (returnsToItself(schema, root)) return `${written} leads back to itself`;
  }
  for (const [key, inner] of Object.entries(schema)) {
    const problem = values.has(key) ? undefined : findReferenceProblem(inner, root);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

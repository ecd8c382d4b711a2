import { isDeepStrictEqual } from 'node:util';
import { describeValue } from '../arguments.js';

type Schema = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const typeTests: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: Array.isArray,
  object: isObject,
};

function hasType(value: unknown, type: unknown): boolean {
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  return types.some((name) => typeTests[String(name)]?.(value) ?? true);
}

function problemOfObject(value: Record<string, unknown>, schema: Schema, path: string): string | undefined {
  for (const key of (schema.required as readonly string[] | undefined) ?? []) {
    if (!Object.hasOwn(value, key)) return `${path} lacks ${key}`;
  }
  const properties = isObject(schema.properties) ? schema.properties : {};
  for (const [key, inner] of Object.entries(value)) {
    const known = Object.hasOwn(properties, key);
    if (!known && schema.additionalProperties === false) return `${path} has the unknown key ${key}`;
    const problem = known ? findProblem(inner, properties[key], `${path}.${key}`) : undefined;
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/**
 * What is wrong with a value by the keywords `type`, `const`, `enum`, `anyOf`, `oneOf`, `properties`, `required`,
 * `additionalProperties: false` and `items` of a JSON schema; undefined if nothing is. Others are not looked at.
 */
export function findProblem(value: unknown, schema: unknown, path = 'the arguments'): string | undefined {
  if (!isObject(schema)) return undefined;
  if (schema.type !== undefined && !hasType(value, schema.type)) {
    return `${path}: expected ${[schema.type].flat().join(' or ')}, received ${describeValue(value)}`;
  }
  if (schema.const !== undefined && !isDeepStrictEqual(value, schema.const)) {
    return `${path}: expected ${JSON.stringify(schema.const)}, received ${describeValue(value)}`;
  }
  if (Array.isArray(schema.enum) && !schema.enum.some((item) => isDeepStrictEqual(item, value))) {
    return `${path}: expected one of ${JSON.stringify(schema.enum)}, received ${describeValue(value)}`;
  }
  const options = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(options)) {
    const problems = options.map((option) => findProblem(value, option, path));
    if (problems.every((problem) => problem !== undefined)) return problems.join('; or ');
  }
  if (isObject(value)) return problemOfObject(value, schema, path);
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, item] of value.entries()) {
      const problem = findProblem(item, schema.items, `${path}[${index}]`);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

import { isDeepStrictEqual } from 'node:util';
import { createError, LlamaNativeError } from '../errors.js';
import { withoutLookaround } from './lookaround.js';
import { type TextBounds, toNativePattern } from './regex-grammar.js';

/** A JSON schema, as far as a grammar can express it; see docs/structured-output.md. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Deepest nesting of schemas. */
const deepest = 64;
/** Most schemas, those that several types repeat counted each time. */
const mostNodes = 20_000;
/** Most properties of one object that may be left out: their grammar grows with the square of their number. */
const mostOptional = 200;

/** Keywords that constrain values. Others are notes for readers, and may stand anywhere. */
const constraints = new Set([
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  'additionalItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'const',
  'contains',
  'dependencies',
  'dependentRequired',
  'dependentSchemas',
  'else',
  'enum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'if',
  'items',
  'maxContains',
  'maxItems',
  'maxLength',
  'maxProperties',
  'maximum',
  'minContains',
  'minItems',
  'minLength',
  'minProperties',
  'minimum',
  'multipleOf',
  'not',
  'oneOf',
  'pattern',
  'patternProperties',
  'prefixItems',
  'properties',
  'propertyNames',
  'required',
  'then',
  'type',
  'unevaluatedItems',
  'unevaluatedProperties',
  'uniqueItems',
]);

const objectKeywords = ['type', 'properties', 'required', 'additionalProperties'];
const arrayKeywords = ['type', 'items', 'prefixItems', 'minItems', 'maxItems'];
const stringKeywords = ['type', 'pattern', 'minLength', 'maxLength'];
const integerKeywords = ['type', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];

/** Keywords whose value means that nothing is asked for. */
function asksNothing(keyword: string, value: unknown): boolean {
  if (keyword === 'uniqueItems') return value === false;
  if (keyword === 'propertyNames') return isSchema(value) && isDeepStrictEqual(value, { type: 'string' });
  return (keyword === 'minProperties' || keyword === 'minContains') && value === 0;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function refuse(path: string, keyword: string, reason: string): never {
  throw createError(
    'INVALID_SCHEMA',
    `The JSON schema cannot be expressed as a grammar: ${reason}, at ${path}.`,
    {
      details: { path, keyword },
    },
  );
}

/** Walks a schema in the way in which llama.cpp reads it. */
class Checker {
  /** What texts with patterns are to be, by the schema that says it. */
  readonly texts = new Map<JsonSchema, JsonSchema>();
  readonly #rewrite: PatternRewriting;
  readonly #root: JsonSchema;
  readonly #references = new Set<string>();
  #nodes = 0;

  constructor(root: JsonSchema, rewrite: PatternRewriting) {
    this.#root = root;
    this.#rewrite = rewrite;
  }

  check(schema: unknown, path: string, depth: number): void {
    if (!isSchema(schema)) refuse(path, '', 'expected a schema to be an object');
    if (depth > deepest) refuse(path, '', `schemas are nested more than ${deepest} deep`);
    if (++this.#nodes > mostNodes) refuse(path, '', `it has more than ${mostNodes} schemas`);
    if (schema.pattern !== undefined) this.texts.set(schema, this.#readText(schema, path));
    const below = (value: unknown, key: string) => this.check(value, `${path}/${key}`, depth + 1);
    if (schema.$ref !== undefined) {
      this.#allow(schema, path, ['$ref'], 'beside $ref');
      this.#checkReference(schema.$ref, path, depth);
      return;
    }
    for (const key of ['oneOf', 'anyOf'] as const) {
      if (schema[key] === undefined) continue;
      this.#allow(schema, path, [key], `beside ${key}; write it into each alternative`);
      for (const [index, alternative] of listOf(schema[key]).entries()) below(alternative, `${key}/${index}`);
      return;
    }
    if (Array.isArray(schema.type)) {
      const { type: types, ...others } = schema;
      this.#checkTypes(others, types as unknown[], path, depth);
      return;
    }
    if (schema.const !== undefined || schema.enum !== undefined) {
      this.#allow(schema, path, ['const', 'enum', 'type'], 'beside const or enum');
      return;
    }
    this.#checkType(schema, path, below);
  }

  /** A value may have one of several types; each takes the keywords that mean something for it. */
  #checkTypes(schema: JsonSchema, types: readonly unknown[], path: string, depth: number): void {
    const used = types.flatMap((type) => keywordsOf({ ...schema, type }));
    this.#allow(schema, path, [...used, 'const', 'enum'], `for the types ${types.join(', ')}`);
    for (const type of types) {
      const own = keywordsOf({ ...schema, type });
      const entries = Object.entries(schema).filter(([key]) => !constraints.has(key) || own.includes(key));
      this.check({ ...Object.fromEntries(entries), type }, path, depth + 1);
    }
  }

  #checkType(schema: JsonSchema, path: string, below: (value: unknown, key: string) => void): void {
    const { type } = schema;
    if (type !== undefined && typeof type !== 'string') refuse(path, 'type', 'expected type to be a text');
    const isObject = schema.properties !== undefined || isSchema(schema.additionalProperties);
    if (schema.allOf !== undefined && !isObject) {
      this.#allow(schema, path, ['allOf', 'type'], 'beside allOf');
      for (const [index, part] of listOf(schema.allOf).entries()) {
        this.#checkPart(part, `${path}/allOf/${index}`);
        below(part, `allOf/${index}`);
      }
      return;
    }
    this.#allow(
      schema,
      path,
      keywordsOf(schema),
      type === undefined ? 'here' : `for the type ${String(type)}`,
    );
    if (isSchema(schema.properties)) this.#checkProperties(schema, path, below);
    if (isSchema(schema.additionalProperties)) below(schema.additionalProperties, 'additionalProperties');
    if (schema.prefixItems !== undefined) checkTuple(schema, path);
    const items = schema.prefixItems ?? schema.items;
    if (Array.isArray(items)) for (const [index, item] of items.entries()) below(item, `items/${index}`);
    else if (items !== undefined) below(items, 'items');
  }

  #checkProperties(schema: JsonSchema, path: string, below: (value: unknown, key: string) => void): void {
    const properties = schema.properties as JsonSchema;
    const names = Object.keys(properties);
    const required = new Set(listOf(schema.required));
    for (const name of required) {
      if (typeof name !== 'string' || !Object.hasOwn(properties, name))
        refuse(path, 'required', `required names ${JSON.stringify(name)}, which is not among the properties`);
    }
    const optional = names.length - required.size;
    if (optional > mostOptional)
      refuse(path, 'properties', `${optional} properties may be left out, and ${mostOptional} is the most`);
    for (const name of names) below(properties[name], `properties/${name}`);
  }

  /** llama.cpp joins objects and cuts enumerations of an allOf; it drops all else. */
  #checkPart(part: unknown, path: string): void {
    const target = this.#follow(part, path);
    const joins = target.properties !== undefined || target.enum !== undefined || target.anyOf !== undefined;
    if (!joins && target.pattern !== undefined)
      refuse(
        path,
        'pattern',
        'allOf does not join patterns; write one pattern that says all of it, such as ^a.*z$',
      );
    if (!joins)
      refuse(path, 'allOf', 'allOf joins only objects with properties, enumerations and anyOf of these');
  }

  #checkReference(reference: unknown, path: string, depth: number): void {
    this.#follow({ $ref: reference }, path);
    const name = reference as string;
    if (this.#references.has(name)) return;
    this.#references.add(name);
    this.check(this.#resolve(name, path), name, depth + 1);
  }

  /** The schema at the end of a chain of references. */
  #follow(schema: unknown, path: string): JsonSchema {
    const seen = new Set<string>();
    let target = schema;
    while (isSchema(target) && target.$ref !== undefined) {
      const reference = target.$ref;
      if (typeof reference !== 'string' || !reference.startsWith('#/'))
        refuse(
          path,
          '$ref',
          `the $ref ${JSON.stringify(reference)} does not point into the same schema (#/…)`,
        );
      if (seen.has(reference))
        refuse(path, '$ref', `the $ref ${JSON.stringify(reference)} leads back to itself`);
      seen.add(reference);
      target = this.#resolve(reference, path);
    }
    if (!isSchema(target)) refuse(path, '', 'expected a schema to be an object');
    return target;
  }

  #resolve(reference: string, path: string): unknown {
    let target: unknown = this.#root;
    for (const key of reference.split('/').slice(1)) {
      const found = typeof target === 'object' && target !== null && Object.hasOwn(target, key);
      if (!found) refuse(path, '$ref', `the $ref ${JSON.stringify(reference)} points to nothing`);
      target = (target as JsonSchema)[key];
    }
    return target;
  }

  #readText(schema: JsonSchema, path: string): JsonSchema {
    const { pattern, minLength, maxLength } = schema;
    if (typeof pattern !== 'string') refuse(path, 'pattern', 'expected pattern to be a text');
    const written = `the pattern ${JSON.stringify(pattern)}`;
    try {
      return this.#rewrite({ pattern, minLength: toLength(minLength), maxLength: toLength(maxLength) });
    } catch (error) {
      if (error instanceof SyntaxError)
        refuse(path, 'pattern', `${written} is no regular expression (${error.message})`);
      if (!LlamaNativeError.isInstance(error)) throw error;
      const { construct, keyword } = error.details;
      if (keyword === undefined)
        refuse(path, 'pattern', `${written} holds ${String(construct)}, which is not supported`);
      const reason = 'no text of that length matches it, or it varies in too many places';
      return refuse(
        path,
        String(keyword),
        `${written} cannot be held to ${String(keyword)}, since ${reason}; write the length into the pattern, as in ^[a-z]{2,8}$`,
      );
    }
  }

  #allow(schema: JsonSchema, path: string, allowed: readonly string[], where: string): void {
    for (const [keyword, value] of Object.entries(schema)) {
      if (value === undefined || !constraints.has(keyword) || allowed.includes(keyword)) continue;
      if (!asksNothing(keyword, value))
        refuse(path, keyword, `the keyword ${keyword} is not supported ${where}`);
    }
  }
}

/** The keywords that llama.cpp reads in a schema of one type. */
function keywordsOf(schema: JsonSchema): readonly string[] {
  switch (schema.type) {
    case 'object':
      return objectKeywords;
    case 'array':
      return arrayKeywords;
    case 'string':
      return stringKeywords;
    case 'integer':
      return integerKeywords;
    case 'number':
    case 'boolean':
    case 'null':
      return ['type'];
    case undefined:
      if (schema.properties !== undefined || schema.additionalProperties !== undefined) return objectKeywords;
      if (schema.items !== undefined || schema.prefixItems !== undefined) return arrayKeywords;
      return stringKeywords;
    default:
      return ['type'];
  }
}

/** llama.cpp makes each item of a tuple, and no more. */
function checkTuple({ prefixItems, items, minItems, maxItems }: JsonSchema, path: string): void {
  if (items !== undefined && items !== false)
    refuse(
      path,
      'prefixItems',
      'the keyword prefixItems is not supported beside items, unless these are false',
    );
  const count = listOf(prefixItems).length;
  if (typeof minItems === 'number' && minItems > count)
    refuse(path, 'minItems', `minItems is ${minItems}, and prefixItems has ${count}`);
  if (typeof maxItems === 'number' && maxItems < count)
    refuse(path, 'maxItems', `maxItems is ${maxItems}, and prefixItems has ${count}`);
}

/** Without what says nothing and llama.cpp would stumble over: `items: false` behind a tuple. */
function withoutEmptyKeywords(schema: JsonSchema): JsonSchema {
  if (!Array.isArray(schema.prefixItems) || schema.items !== false) return schema;
  const { items: _items, ...others } = schema;
  return others;
}

/** Deepest nesting of arrays and objects; the addon has the same limit. */
const deepestValue = 200;

/** Whether arrays and objects lie in each other deeper than the bound. */
function isDeeper(value: unknown, bound: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return bound === 0 || Object.values(value).some((inner) => isDeeper(inner, bound - 1));
}

/** The schema as JSON has it: without cycles, and not so deep that reading it would overflow the stack. */
function toPlainSchema(schema: JsonSchema): JsonSchema {
  if (isDeeper(schema, deepestValue))
    refuse('#', '', `schemas are nested more than ${deepest} deep, or values more than ${deepestValue} deep`);
  try {
    return JSON.parse(JSON.stringify(schema));
  } catch (cause) {
    throw createError('INVALID_SCHEMA', 'Expected a JSON schema that can be written as JSON.', { cause });
  }
}

/** What stands in a schema for a pattern and its bounds of length. */
type PatternRewriting = (bounds: TextBounds) => JsonSchema;

function toLength(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Checks a schema, and writes it as JSON with its patterns rewritten. */
function writeSchema(schema: JsonSchema, rewrite: PatternRewriting): string {
  const plain = toPlainSchema(schema);
  const checker = new Checker(plain, rewrite);
  checker.check(plain, '#', 0);
  return JSON.stringify(plain, (_key: string, value: unknown): unknown => {
    if (!isSchema(value)) return value;
    const text = checker.texts.get(value);
    if (text === undefined) return withoutEmptyKeywords(value);
    const { pattern: _pattern, minLength: _least, maxLength: _most, ...others } = value;
    return { ...others, ...text };
  });
}

/**
 * Checks that a grammar can express a JSON schema: what llama.cpp would drop without a word is refused.
 * @returns the schema as JSON, with patterns in the form that llama.cpp reads.
 * @throws InvalidArgumentError INVALID_SCHEMA that names the keyword or reference.
 */
export function toSchemaText(schema: JsonSchema): string {
  return writeSchema(schema, (bounds) => ({ pattern: toNativePattern(bounds) }));
}

/**
 * A JSON schema without the lookarounds of its patterns, which no grammar can express. It allows all that it allowed, and
 * perhaps more, so it is for answers that are checked by another schema.
 * @throws InvalidArgumentError INVALID_SCHEMA, as {@link toSchemaText}.
 */
export function withoutLookarounds(schema: JsonSchema): JsonSchema {
  const text = writeSchema(schema, ({ pattern, ...bounds }) => {
    new RegExp(pattern); // throws for what is none
    return { pattern: withoutLookaround(pattern), ...bounds };
  });
  return JSON.parse(text) as JsonSchema;
}

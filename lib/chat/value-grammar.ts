import { toGrammarLiteral } from '../generate/choice-grammar.js';
import { integerExpression } from '../generate/integer-grammar.js';
import { spellInJson } from '../generate/json-spelling.js';
import { readPattern, type TextBounds, toGrammarExpression } from '../generate/regex-grammar.js';
import { type RegexNode, withoutCharacters } from '../generate/regex-parser.js';
import type { Json } from './native-messages.js';

export type Schema = { readonly [key: string]: Json };

/** How values are written where a model's form of calls has a notation of its own. */
export interface ValueNotation {
  /** Around a text. */
  readonly quote: string;
  /** A character of a text, as a class or group, and texts of any length with their quotes. */
  readonly character: string;
  readonly anyText: string;
  /** A text between its quotes. */
  readonly spell: (text: string) => string;
  /** The name of a property with what parts it from its value. */
  readonly key: (name: string) => string;
  /** What `true`, `false` and `null` are written as. */
  readonly constants: { readonly true: string; readonly false: string; readonly null: string };
  /** The name of any property, as an expression; any value. */
  readonly anyKey: string;
  readonly anyValue: string;
  /** The same of texts in single quotes, where these may be used as well. */
  readonly singleQuoted?: { readonly character: string };
  /** An expression for texts as one for what stands between quotes; undefined if there is none. */
  readonly spellAll: (node: RegexNode) => RegexNode | undefined;
}

/** A character between quotes. Halves of characters are no escapes: two would be one character. */
function quotedCharacter(quote: string): string {
  const hex = '[0-9a-fA-F]';
  const code = `"u" ([0-9abcefABCEF] ${hex}{3} | [dD] [0-7] ${hex}{2})`;
  return `([^${quote}\\\\\\x00-\\x1f\\x7f] | "\\\\" ([${quote}\\\\/bfnrt] | ${code}))`;
}

const jsonCharacter = quotedCharacter('"');
const jsonText = `"\\"" ${jsonCharacter}* "\\""`;

/** JSON as RFC 8259 has it. */
export const jsonNotation: ValueNotation = {
  quote: '"',
  character: jsonCharacter,
  anyText: jsonText,
  spell: (text) => JSON.stringify(text).slice(1, -1),
  key: (name) => `${toGrammarLiteral(JSON.stringify(name))} space ":" space`,
  constants: { true: '"true"', false: '"false"', null: '"null"' },
  anyKey: `${jsonText} space ":" space`,
  anyValue: 'value-any',
  spellAll: spellInJson,
};

/** JSON with constants and quotes that may be Python's. */
export const pythonNotation: ValueNotation = {
  ...jsonNotation,
  anyText: `(${jsonText} | "'" ${quotedCharacter("'")}* "'")`,
  singleQuoted: { character: quotedCharacter("'") },
  constants: { true: '("true" | "True")', false: '("false" | "False")', null: '("null" | "None")' },
};

/** What Gemma 4 writes: texts as they are, between marks, and names of properties without any. */
export const gemmaNotation: ValueNotation = {
  quote: '<|"|>',
  character: '[^<]',
  anyText: 'gemma4-string',
  spell: (text) => text,
  key: (name) => `${toGrammarLiteral(`${name}:`)} space`,
  constants: { true: '"true"', false: '"false"', null: '"null"' },
  anyKey: 'gemma4-dict-key space',
  anyValue: 'gemma4-value',
  spellAll: (node) => withoutCharacters(node, [[0x3c, 0x3c]]),
};

/** Numbers that JavaScript can hold. */
const number = '"-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?';
const integer = '"-"? ("0" | [1-9] [0-9]{0,15})';

export function isSchema(value: Json | undefined): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function group(options: readonly string[]): string {
  return options.length === 1 ? `${options[0]}` : `(${options.join(' | ')})`;
}

/** How often something may come, as a sign of a grammar. */
function times(least: number, most: number | undefined): string {
  return most === undefined ? `{${least},}` : `{${least},${most}}`;
}

/** Formats that llama.cpp holds texts to. Source: its json-schema-to-grammar. */
const formats: Readonly<Record<string, string>> = {
  date: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$',
  time: '^([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{3})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$',
  'date-time':
    '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{3})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$',
  uuid: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
};

/** What a schema says of a text; a format is a pattern. */
export function boundsOf(
  schema: Schema,
): Omit<TextBounds, 'pattern'> & { readonly pattern: string | undefined } {
  const { pattern, format } = schema;
  if (typeof pattern !== 'string' && typeof format === 'string' && Object.hasOwn(formats, format))
    return { pattern: formats[format] };
  return {
    pattern: typeof pattern === 'string' ? pattern : undefined,
    minLength: countOf(schema, 'minLength'),
    maxLength: countOf(schema, 'maxLength'),
  };
}

function countOf(schema: Schema, keyword: string): number | undefined {
  const value = schema[keyword];
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/**
 * Items with something between them, those that are required in any case; each comes at most once, in their order.
 * @returns an expression; undefined if there are none.
 */
export function listOnce(
  items: readonly { readonly expression: string; readonly required: boolean }[],
  separator: string,
): string {
  const required = items.filter((item) => item.required).map(({ expression }) => expression);
  const optional = items.filter((item) => !item.required).map(({ expression }) => expression);
  const following = optional.map((expression) => `(${separator} ${expression})?`);
  if (required.length > 0) return [required.join(` ${separator} `), ...following].join(' ');
  const beginnings = optional.map((first, index) => [first, ...following.slice(index + 1)].join(' '));
  return beginnings.length === 0 ? '' : `(${beginnings.join(' | ')})?`;
}

/** What a reference points to; undefined for nothing. */
export function resolveReference(root: Schema, reference: string): Json | undefined {
  let target: Json | undefined = root;
  for (const key of reference.split('/').slice(1)) {
    target = typeof target === 'object' && target !== null ? (target as Schema)[key] : undefined;
  }
  return target;
}

/** The schema at the end of a chain of references; undefined if there is none. */
export function followReference(schema: Json | undefined, root: Schema): Schema | undefined {
  const seen = new Set<string>();
  let target = schema;
  while (isSchema(target) && typeof target.$ref === 'string') {
    if (seen.has(target.$ref)) return undefined;
    seen.add(target.$ref);
    target = resolveReference(root, target.$ref);
  }
  return isSchema(target) ? target : undefined;
}

/** Writes what a schema admits as expressions of a grammar, in a notation that llama.cpp makes no grammar of. */
export class ValueWriter {
  /** Rules that the expressions name. */
  readonly rules = new Map<string, string>();
  readonly #root: Schema;
  readonly #notation: ValueNotation;
  readonly #prefix: string;

  /**
   * @param root what references point into.
   * @param prefix of the names of its rules.
   */
  constructor(root: Schema, notation: ValueNotation, prefix: string) {
    this.#root = root;
    this.#notation = notation;
    this.#prefix = prefix;
  }

  write(schema: Json | undefined): string {
    if (!isSchema(schema)) return this.#notation.anyValue;
    if (typeof schema.$ref === 'string') return this.#writeReference(schema.$ref);
    const options = schema.oneOf ?? schema.anyOf;
    if (Array.isArray(options)) return group(options.map((option) => this.write(option)));
    if (schema.const !== undefined) return this.#writeConstant(schema.const);
    if (Array.isArray(schema.enum)) return group(schema.enum.map((value) => this.#writeConstant(value)));
    if (Array.isArray(schema.type)) return group(schema.type.map((type) => this.write({ ...schema, type })));
    if (Array.isArray(schema.allOf)) return this.write(this.#join(schema));
    return this.#writeType(schema);
  }

  #writeType(schema: Schema): string {
    const { true: yes, false: no, null: nothing } = this.#notation.constants;
    switch (schema.type ?? this.#guessType(schema)) {
      case 'object':
        return this.writeObject(schema);
      case 'array':
        return this.#writeArray(schema);
      case 'string':
        return this.#writeText(schema);
      case 'integer':
        return this.#writeInteger(schema);
      case 'number':
        return `(${number})`;
      case 'boolean':
        return group([yes, no]);
      case 'null':
        return nothing;
      default:
        return this.#notation.anyValue;
    }
  }

  #guessType(schema: Schema): string | undefined {
    if (isSchema(schema.properties)) return 'object';
    return schema.items !== undefined || schema.prefixItems !== undefined ? 'array' : undefined;
  }

  #writeReference(reference: string): string {
    const name = `${this.#prefix}-ref-${reference.replace(/[^a-zA-Z0-9]+/g, '-')}`;
    if (!this.rules.has(name)) {
      this.rules.set(name, ''); // it may name itself
      this.rules.set(name, this.write(resolveReference(this.#root, reference)));
    }
    return name;
  }

  #join({ allOf, ...own }: Schema): Schema {
    const parts = [own, ...(allOf as readonly Json[])].map((part) => followReference(part, this.#root) ?? {});
    const joined: Record<string, Json> = {};
    for (const part of parts) {
      for (const [keyword, value] of Object.entries(part)) {
        const earlier = joined[keyword];
        if (isSchema(earlier) && isSchema(value)) joined[keyword] = { ...earlier, ...value };
        else if (Array.isArray(earlier) && Array.isArray(value)) joined[keyword] = [...earlier, ...value];
        else joined[keyword] = value;
      }
    }
    return joined;
  }

  #writeConstant(value: Json): string {
    const { quote, spell, key, constants, singleQuoted } = this.#notation;
    if (typeof value === 'string') {
      const literal = toGrammarLiteral(quote + spell(value) + quote);
      const isPlain = singleQuoted !== undefined && spell(value) === value && !value.includes("'");
      return isPlain ? `(${literal} | ${toGrammarLiteral(`'${value}'`)})` : literal;
    }
    if (typeof value === 'number') return toGrammarLiteral(JSON.stringify(value));
    if (value === true) return constants.true;
    if (value === false) return constants.false;
    if (value === null) return constants.null;
    const inner = Array.isArray(value)
      ? value.map((item) => this.#writeConstant(item))
      : Object.entries(value).map(([name, item]) => `${key(name)} ${this.#writeConstant(item)}`);
    const [begin, end] = Array.isArray(value) ? ['"["', '"]"'] : ['"{"', '"}"'];
    return [begin, ...inner.flatMap((item, index) => (index === 0 ? [item] : ['"," space', item])), end].join(
      ' ',
    );
  }

  /** An object with its properties, those that are required first, and no others if it has some. */
  writeObject(schema: Schema): string {
    const { key, anyKey } = this.#notation;
    const properties = Object.entries(isSchema(schema.properties) ? schema.properties : {});
    const required = Array.isArray(schema.required) ? schema.required : [];
    const { additionalProperties: others } = schema;
    if (properties.length === 0 && others !== false) {
      const entry = `${anyKey} ${this.write(isSchema(others) ? others : undefined)}`;
      return `"{" space (${entry} ("," space ${entry})*)? space "}"`;
    }
    const items = properties.map(([name, value]) => ({
      expression: `${key(name)} ${this.write(value)}`,
      required: required.includes(name),
    }));
    return `"{" space ${listOnce(items, '"," space')} space "}"`;
  }

  #writeArray(schema: Schema): string {
    if (Array.isArray(schema.prefixItems)) {
      const items = schema.prefixItems.map((item) => ({ expression: this.write(item), required: true }));
      return `"[" space ${listOnce(items, '"," space')} space "]"`;
    }
    const item = this.write(schema.items);
    const least = countOf(schema, 'minItems') ?? 0;
    const most = countOf(schema, 'maxItems');
    if (most === 0) return '"[" space "]"';
    const others = `("," space ${item})${times(Math.max(least - 1, 0), most === undefined ? undefined : most - 1)}`;
    return `"[" space (${item} ${others})${least === 0 ? '?' : ''} space "]"`;
  }

  #writeText(schema: Schema): string {
    const { quote, character, anyText, spellAll, singleQuoted } = this.#notation;
    const mark = toGrammarLiteral(quote);
    const bounds = boundsOf(schema);
    if (bounds.pattern === undefined) {
      const { minLength: least = 0, maxLength: most } = bounds;
      if (least === 0 && most === undefined) return anyText;
      const text = `${mark} ${character}${times(least, most)} ${mark}`;
      return singleQuoted === undefined
        ? text
        : `(${text} | "'" ${singleQuoted.character}${times(least, most)} "'")`;
    }
    const { regex, node } = readPattern({ ...bounds, pattern: bounds.pattern });
    const spelled = spellAll(node);
    return spelled === undefined ? anyText : `${mark} ${toGrammarExpression(spelled, regex)} ${mark}`;
  }

  #writeInteger(schema: Schema): string {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
    const bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum };
    const numbers = Object.entries(bounds).filter(([, value]) => typeof value === 'number');
    return (
      (numbers.length > 0 ? integerExpression(Object.fromEntries(numbers)) : undefined) ?? `(${integer})`
    );
  }
}

/** Rules of any value in JSON, which a notation may name. */
export const anyValueRules: readonly (readonly [name: string, body: string])[] = [
  ['value-any', `value-any-object | value-any-array | ${jsonText} | ${number} | "true" | "false" | "null"`],
  [
    'value-any-object',
    `"{" space (${jsonText} space ":" space value-any ("," space ${jsonText} space ":" space value-any)*)? space "}"`,
  ],
  ['value-any-array', '"[" space (value-any ("," space value-any)*)? space "]"'],
];

/** Writes JSON schemas at random: most use keywords that grammars can express, at odd values. */
import type { Random } from '../../../test/helpers/gguf-random.js';
import type { Json, JsonObject } from '../json.js';

export const schemaKeywords = [
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'prefixItems',
  'minItems',
  'maxItems',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'anyOf',
  'oneOf',
  'allOf',
  '$ref',
  '$defs',
  'definitions',
  'const',
  'enum',
  'format',
  'not',
  'description',
  '__proto__',
  'constructor',
];

const numbers: readonly Json[] = [
  0, 1, -1, 2, 5, 9, 10, 11, 99, 100, 101, 2000, 2001, 65_536, -99, 123_456_789, 2_147_483_647,
  -2_147_483_648, 9_007_199_254_740_991, -9_007_199_254_740_991, 1e15, 1e19, 1e300, 0.5, -0.5,
];
const lengths: readonly Json[] = [0, 1, 2, 3, 10, 63, 100, 1000, 2000, 2001, 100_000, 1e9, -1, 0.5];
const names = [
  'a',
  'b',
  'ab',
  'abc',
  'name',
  '',
  ' ',
  '"',
  '\\',
  '\n',
  '\u4f60',
  '\u{1f600}',
  'a"b',
  '__proto__',
  'x'.repeat(300),
];
const patterns = [
  '^a$',
  '^[a-z]+$',
  '^(a|b){2,5}$',
  '^\\d{3}-\\d{4}$',
  '^[^"]*$',
  '^.*$',
  '^(a*)*$',
  '^((a|b)*c){0,50}$',
  '^\\w+$',
  '^[\\u4e00-\\u9fff]+$',
  '^a{0,2000}$',
  '^a{5,2}$',
  '^(?=a)b$',
  '^$',
  '^a',
  'a$',
  '^[$',
  '^($',
  '^\\$',
  '^a|b$',
  '^(((((((((a)))))))))$',
  '^[a-]$',
  '^a{,3}$',
  '^\\p{L}$',
  '^(?:a)$',
  '^a{99999999999}$',
  '^[^]$',
];
const formats = ['date', 'time', 'date-time', 'uuid', 'uuid1', 'email', 'ipv4', 'uri', 'nonsense'];

class SchemaWriter {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  schema(depth = 0): Json {
    const choice = this.#random.below(depth > 3 ? 6 : 11);
    switch (choice) {
      case 0:
        return this.#string();
      case 1:
        return this.#integer();
      case 2:
        return {
          type: this.#random.pick(['number', 'boolean', 'null', 'string', 'integer', 'object', 'array']),
        };
      case 3:
        return { const: this.#value() };
      case 4:
        return { enum: this.#some(() => this.#value()) };
      case 5:
        return this.#random.pick<Json>([
          {},
          { $ref: '#/$defs/a' },
          { $ref: '#/$defs/b' },
          { $ref: '#' },
          { $ref: '#/' },
          { type: ['string', 'integer', 'null'] },
        ]);
      case 6:
      case 7:
        return this.#object(depth);
      case 8:
        return this.#array(depth);
      default:
        return { [this.#random.pick(['anyOf', 'oneOf', 'allOf'])]: this.#some(() => this.schema(depth + 1)) };
    }
  }

  /** With definitions that may refer to each other. */
  root(): JsonObject {
    const $defs = { a: this.schema(2), b: this.schema(2) };
    const schema = this.schema() as JsonObject;
    return { ...schema, $defs };
  }

  #some(make: () => Json): Json[] {
    return Array.from({ length: this.#random.pick([0, 1, 2, 2, 3, 3, 12]) }, make);
  }

  #maybe(keyword: string, make: () => Json): JsonObject {
    return this.#random.next() < 0.4 ? { [keyword]: make() } : {};
  }

  #value(): Json {
    return this.#random.pick<Json>([...numbers, ...names, null, true, [], {}, [1, [2]], { a: { b: 1 } }]);
  }

  #string(): JsonObject {
    const random = this.#random;
    if (random.next() < 0.4) return { type: 'string', pattern: random.pick(patterns) };
    if (random.next() < 0.2) return { type: 'string', format: random.pick(formats) };
    const bounds = {
      ...this.#maybe('minLength', () => random.pick(lengths)),
      ...this.#maybe('maxLength', () => random.pick(lengths)),
    };
    return { type: 'string', ...bounds };
  }

  #integer(): JsonObject {
    const bounds = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
    return Object.assign(
      { type: 'integer' },
      ...bounds.map((name) => this.#maybe(name, () => this.#random.pick(numbers))),
    );
  }

  #object(depth: number): JsonObject {
    const random = this.#random;
    const used = this.#some(() => random.pick(names)) as string[];
    const properties = Object.fromEntries(used.map((name) => [name, this.schema(depth + 1)]));
    return {
      type: 'object',
      properties,
      ...this.#maybe('required', () => used.filter(() => random.next() < 0.5)),
      ...this.#maybe('additionalProperties', () =>
        random.next() < 0.5 ? random.next() < 0.5 : this.schema(depth + 1),
      ),
    };
  }

  #array(depth: number): JsonObject {
    const random = this.#random;
    const items =
      random.next() < 0.7
        ? { items: this.schema(depth + 1) }
        : { prefixItems: this.#some(() => this.schema(depth + 1)) };
    return {
      type: 'array',
      ...items,
      ...this.#maybe('minItems', () => random.pick(lengths)),
      ...this.#maybe('maxItems', () => random.pick(lengths)),
    };
  }
}

/** Schemas that grow by one number. */
function extreme(random: Random): JsonObject {
  const size = random.pick([10, 30, 63, 64, 65, 199, 200, 201, 1000]);
  const nest = (key: string, wrap: (inner: Json) => JsonObject) => {
    let schema: JsonObject = { type: 'integer' };
    for (let level = 0; level < size; level++) schema = wrap(schema);
    return { [key]: 1, ...schema };
  };
  const many = (make: (index: number) => Json) => Array.from({ length: size }, (_, index) => make(index));
  const property = (index: number): [string, Json] => [`p${index}`, { type: 'integer' }];
  return random.pick<() => JsonObject>([
    () => nest('title', (inner) => ({ type: 'array', items: inner })),
    () => nest('title', (inner) => ({ anyOf: [inner, { type: 'null' }] })),
    () => nest('title', (inner) => ({ type: 'object', properties: { a: inner } })),
    () => ({
      type: 'object',
      properties: Object.fromEntries(Array.from({ length: size }, (_, index) => property(index))),
    }),
    () => ({ anyOf: many((index) => ({ const: `v${index}` })) }),
    () => ({ enum: many((index) => 'x'.repeat(index)) }),
    () => ({
      type: 'array',
      items: { type: 'array', items: { type: 'string', maxLength: size }, maxItems: size },
      maxItems: size,
    }),
    () => ({
      allOf: many((index) => ({ type: 'object', properties: { [`p${index % 5}`]: { type: 'string' } } })),
    }),
    () => ({ type: 'string', pattern: `^${'(a|b)'.repeat(size)}$` }),
    () => ({ type: 'string', pattern: `^${'('.repeat(size)}a${')*'.repeat(size)}$` }),
    () => ({
      $ref: '#/$defs/d0',
      $defs: Object.fromEntries(
        many((index) => index).map((_, index) => [`d${index}`, { $ref: `#/$defs/d${index + 1}` }]),
      ),
    }),
    () => ({ $ref: '#/$defs/n', $defs: { n: { anyOf: [{ $ref: '#/$defs/n' }, { type: 'null' }] } } }),
    () => ({ $ref: '#/$defs/n', $defs: { n: { type: 'array', items: { $ref: '#/$defs/n' } } } }),
  ])();
}

export function writeSchema(random: Random): JsonObject {
  return random.next() < 0.1 ? extreme(random) : new SchemaWriter(random).root();
}

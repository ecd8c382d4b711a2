import { describe, expect, it } from 'vitest';
import { toSchemaText, withoutLookarounds } from '../../lib/generate/check-json-schema.js';

describe('checking a JSON schema', () => {
  it.each([
    ['an object', { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }],
    [
      'notes for readers',
      { type: 'string', title: 'T', description: 'D', default: 'x', 'x-own': 1, $id: 'i' },
    ],
    ['several types', { type: ['string', 'null'], minLength: 1 }],
    ['alternatives', { anyOf: [{ type: 'null' }, { const: 5 }, { enum: ['a', null] }] }],
    [
      'joined objects',
      { allOf: [{ $ref: '#/$defs/a' }, { properties: { b: {} } }], $defs: { a: { properties: { c: {} } } } },
    ],
    [
      'recursion',
      { $ref: '#/$defs/n', $defs: { n: { type: 'object', properties: { next: { $ref: '#/$defs/n' } } } } },
    ],
    ['a tuple', { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] }],
    ['a format nobody knows, which is a note', { type: 'string', format: 'email' }],
    ['keywords that ask for nothing', { type: 'array', items: {}, uniqueItems: false }],
    ['anything', {}],
  ])('takes %s', (_, schema) => {
    expect(JSON.parse(toSchemaText(schema))).toEqual(schema);
  });

  it.each([
    ['not', { not: { type: 'string' } }],
    ['if', { type: 'object', properties: {}, if: {} }],
    ['patternProperties', { type: 'object', patternProperties: { a: {} } }],
    ['uniqueItems', { type: 'array', items: {}, uniqueItems: true }],
    ['minimum', { type: 'number', minimum: 0 }],
    ['multipleOf', { type: 'integer', multipleOf: 5 }],
    ['minLength', { type: 'integer', minLength: 2 }],
    ['maximum', { type: ['string', 'null'], maximum: 2 }],
    ['type', { $ref: '#/$defs/a', type: 'object', $defs: { a: {} } }],
    ['properties', { anyOf: [{}], properties: { a: {} } }],
    ['required', { type: 'object', properties: { a: {} }, required: ['b'] }],
    ['allOf', { allOf: [{ type: 'string' }] }],
    ['prefixItems', { type: 'array', prefixItems: [{}], items: {} }],
    ['pattern', { type: 'string', pattern: '^(?=a)b$' }],
    ['pattern', { type: 'string', pattern: '(' }],
    ['pattern', { type: ['null', 'string'], pattern: '\\bword' }],
    ['pattern', { type: 'string', pattern: 5 }],
    ['pattern', { type: 'integer', pattern: '^5$' }],
    ['minLength', { type: 'string', pattern: '^a$', minLength: 2 }],
    ['$ref', { $ref: 'https://example.com/schema' }],
    ['$ref', { $ref: '#/$defs/none' }],
    ['$ref', { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } }],
    ['$ref', { allOf: [{ $ref: '#/$defs/a' }], $defs: { a: { $ref: '#/$defs/a' } } }],
  ])('refuses %s, by name', (keyword, schema) => {
    expect(() => toSchemaText(schema)).toThrow(
      expect.objectContaining({
        code: 'INVALID_SCHEMA',
        details: expect.objectContaining({ keyword }) as object,
      }),
    );
  });

  it('says where the keyword stands', () => {
    const schema = { properties: { a: { items: { properties: { b: { type: 'number', minimum: 1 } } } } } };
    expect(() => toSchemaText(schema)).toThrow(
      /minimum is not supported .* at #\/properties\/a\/items\/properties\/b/,
    );
  });

  it('says what of a pattern it cannot express', () => {
    const schema = { properties: { code: { type: 'string', pattern: '^(a)\\1$' } } };
    expect(() => toSchemaText(schema)).toThrow(
      'the pattern "^(a)\\\\1$" holds a backreference, which is not supported, at #/properties/code.',
    );
  });

  it('rewrites patterns of schemas, and nothing that only looks like one', () => {
    const looksAlike = { pattern: '^\\d$' };
    const schema = {
      properties: { pattern: { type: ['null', 'string'], pattern: '^\\d$' }, other: { const: looksAlike } },
      default: looksAlike,
    };
    expect(JSON.parse(toSchemaText(schema))).toEqual({
      properties: {
        pattern: { type: ['null', 'string'], pattern: '^[\\u0030-\\u0039]$' },
        other: { const: looksAlike },
      },
      default: looksAlike,
    });
  });

  it('refuses what is nested too deeply, repeats itself too often, or cannot be written as JSON', () => {
    let deep: object = {};
    for (let i = 0; i < 20_000; i++) deep = { properties: { a: deep } };
    let wide: object = {};
    for (let i = 0; i < 30; i++) wide = { type: ['object', 'object'], properties: { a: wide } };
    const circle: Record<string, unknown> = { type: 'object' };
    circle.default = circle;
    const optional = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`p${i}`, {}]));
    for (const schema of [deep, wide, circle, { const: 1n }, { properties: optional }]) {
      expect(() => toSchemaText(schema as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_SCHEMA' }),
      );
    }
  });
});

describe('a JSON schema without lookarounds', () => {
  it.each([
    ['^(?!\\.)(?!.*\\.\\.)([a-z.]*)$', '^([a-z.]*)$'],
    ['^(?=.{1,9}\\.?$)a(?<=[)a](b))b(?<!(a|(b)\\)))$', '^ab$'],
    ['^\\(?=a[(?=]$', '^\\(?=a[(?=]$'],
    ['^(?:a)(?<name>b)$', '^(?:a)(?<name>b)$'],
  ])('has for the pattern %s the pattern %s', (pattern, expected) => {
    const schema = { properties: { a: { type: 'string', pattern } } };
    expect(withoutLookarounds(schema)).toEqual({ properties: { a: { type: 'string', pattern: expected } } });
  });
});

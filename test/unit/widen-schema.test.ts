import { describe, expect, it } from 'vitest';
import { describeSchema, withWidenedSchema } from '../../lib/ecosystem/widen-schema.js';
import { toSchemaText } from '../../lib/generate/check-json-schema.js';

const widen = (schema: object) =>
  withWidenedSchema(schema as Readonly<Record<string, unknown>>, (given) => JSON.parse(toSchemaText(given)));

describe('a schema that is wider than it was', () => {
  it('is the same where a grammar can express all of it', () => {
    const schema = { type: 'object', properties: { a: { type: 'integer', minimum: 1 } }, required: ['a'] };
    expect(widen(schema)).toEqual({ result: schema, dropped: [] });
  });

  it('lacks what a grammar cannot express, at each place, and leaves the given one as it was', () => {
    const schema = {
      type: 'object',
      properties: {
        share: { type: 'number', minimum: 0, maximum: 1 },
        list: { type: 'array', items: { type: 'string', pattern: '^(?=a)\\w+$' }, uniqueItems: true },
        pair: { $ref: '#/$defs/pair' },
      },
      $defs: { pair: { type: 'array', items: { type: 'number', multipleOf: 2 } } },
    };
    const before = structuredClone(schema);
    const { result, dropped } = widen(schema);
    expect(dropped.map(({ path, keyword }) => `${path} ${keyword}`).sort()).toEqual([
      '#/$defs/pair/items multipleOf',
      '#/properties/list uniqueItems',
      '#/properties/list/items pattern',
      '#/properties/share maximum',
      '#/properties/share minimum',
    ]);
    expect(result.properties.share).toEqual({ type: 'number' });
    expect(schema).toEqual(before);
  });

  it('keeps patterns that a grammar can follow', () => {
    const { result, dropped } = widen({ type: 'string', pattern: '^\\w{2}$' });
    expect(result).toHaveProperty('pattern');
    expect(dropped).toEqual([]);
  });

  it('says nothing of names that are texts, as Zod writes them for records', () => {
    const schema = {
      type: 'object',
      propertyNames: { type: 'string' },
      additionalProperties: { type: 'number' },
    };
    expect(widen(schema).dropped).toEqual([]);
    const narrow = { ...schema, propertyNames: { type: 'string', maxLength: 3 } };
    expect(widen(narrow).dropped).toEqual([{ path: '#', keyword: 'propertyNames' }]);
  });

  it.each([
    ['a reference to nothing', { $ref: '#/nowhere' }],
    ['names of properties by pattern', { type: 'object', patternProperties: { a: { type: 'string' } } }],
  ])('is refused with %s: without that it would not only allow more', (_name, schema) => {
    expect(() => widen(schema)).toThrow(expect.objectContaining({ code: 'INVALID_SCHEMA' }));
  });

  it('passes on what has nothing to do with schemas', () => {
    const attempt = () => {
      throw new TypeError('other');
    };
    expect(() => withWidenedSchema({}, attempt)).toThrow(TypeError);
  });
});

describe('a described schema', () => {
  it('is asked for in words, without its version', () => {
    const text = describeSchema({ $schema: 'https://json-schema.org/x', type: 'object' }, 'A city.');
    expect(text).toBe(
      'A city.\nAnswer with JSON that fits this JSON schema, and nothing else:\n{"type":"object"}',
    );
    expect(describeSchema(undefined)).toContain('JSON object');
  });
});

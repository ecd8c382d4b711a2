import { describe, expect, it } from 'vitest';
import { toNativeTools, toParameterSchema } from '../../lib/chat/tool-schema.js';
import type { Tool } from '../../lib/index.js';

const toolWith = (a: object, more: object = {}) =>
  ({ parameters: { type: 'object', properties: { a }, ...more } }) as unknown as Tool;

describe('the parameters of a tool', () => {
  it.each([
    ['points to nothing', { $ref: '#/$defs/none' }],
    ['does not point into the same schema', { $ref: 'https://example.com/schema' }],
    ['leads back to itself', { $ref: '#/properties/a' }],
    ['leads back to itself', { anyOf: [{ type: 'string' }, { $ref: '#/properties/a' }] }],
    ['leads back to itself', { allOf: [{ $ref: '#/properties/a' }] }],
  ])('are refused if a reference %s', (problem, schema) => {
    expect(() => toParameterSchema('f', toolWith(schema))).toThrow(
      expect.objectContaining({ code: 'INVALID_TOOL', message: expect.stringContaining(problem) }),
    );
  });

  it('may name themselves with something in between', () => {
    const list = { type: 'object', properties: { next: { $ref: '#/$defs/list' } } };
    const tool = toolWith({ $ref: '#/$defs/list' }, { $defs: { list } });
    expect(toParameterSchema('f', tool)).toEqual(tool.parameters);
  });

  it('are refused if they are nested without end, or have a pattern that no grammar can express', () => {
    let deep: object = { type: 'string' };
    for (let level = 0; level < 20_000; level++) deep = { type: 'object', properties: { a: deep } };
    const invalid = expect.objectContaining({ code: 'INVALID_TOOL' });
    expect(() => toParameterSchema('f', toolWith(deep))).toThrow(invalid);
    expect(() => toParameterSchema('f', toolWith({ type: 'string', pattern: '^(a)\\1$' }))).toThrow(invalid);
    const tooLong = { type: 'string', pattern: '^ab$', maxLength: 1 };
    expect(() => toParameterSchema('f', toolWith(tooLong))).toThrow(invalid);
  });

  it('keep their patterns for the prompt; only llama.cpp gets them in its form', () => {
    const text = { type: 'string', pattern: '^[\\p{Script=Han}]+$', maxLength: 2 };
    const schema = toParameterSchema('f', toolWith(text));
    expect(schema).toMatchObject({ properties: { a: text } });
    const native = JSON.parse(toNativeTools([schema]))[0].properties.a;
    expect(native.pattern).toMatch(/^\^\(\[.*\]\)\{1,2\}\$$/);
    expect(native).not.toHaveProperty('maxLength');
  });
});

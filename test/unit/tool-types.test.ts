import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { findProblem } from '../../lib/chat/check-arguments.js';
import { executeTool } from '../../lib/chat/execute-tool.js';
import { toParameterSchema } from '../../lib/chat/tool-schema.js';
import { type FromJsonSchema, tool } from '../../lib/index.js';

const context = { signal: new AbortController().signal, toolCallId: 'a', messages: [] };
const limits = { timeoutMs: 1000, maxResultLength: 100 };

describe('the arguments of a tool', () => {
  it('have the type of a JSON schema that is written as a literal', () => {
    tool({
      parameters: {
        type: 'object',
        properties: {
          city: { type: 'string' },
          days: { type: 'integer' },
          unit: { enum: ['c', 'f'] },
          tags: { type: 'array', items: { type: 'string' } },
          place: { type: 'object', properties: { x: { type: 'number' } }, required: ['x'] },
          any: { anyOf: [{ type: 'string' }, { type: 'null' }] },
          both: { type: ['string', 'number'] },
        },
        required: ['city', 'unit', 'place'],
      },
      execute: (input) => {
        expectTypeOf(input.city).toEqualTypeOf<string>();
        expectTypeOf(input.days).toEqualTypeOf<number | undefined>();
        expectTypeOf(input.unit).toEqualTypeOf<'c' | 'f'>();
        expectTypeOf(input.tags).toEqualTypeOf<string[] | undefined>();
        expectTypeOf(input.place).toEqualTypeOf<{ x: number }>();
        expectTypeOf(input.any).toEqualTypeOf<string | null | undefined>();
        expectTypeOf(input.both).toEqualTypeOf<string | number | undefined>();
      },
    });
    expectTypeOf<FromJsonSchema<{ const: 3 }>>().toEqualTypeOf<3>();
    expectTypeOf<FromJsonSchema<object>>().toEqualTypeOf<unknown>();
  });

  it('have the type that Zod infers, and are checked and converted by it', async () => {
    const made = tool({
      parameters: z.object({ city: z.string().min(2), days: z.number().int().default(3) }),
      execute: (input) => {
        expectTypeOf(input).toEqualTypeOf<{ city: string; days: number }>();
        return input;
      },
    });
    const schema = toParameterSchema('made', made);
    expect(schema).toMatchObject({ type: 'object', properties: { city: { type: 'string', minLength: 2 } } });
    const call = (input: unknown) =>
      executeTool({ id: 'a', name: 'made', arguments: input }, made, schema, context, limits);
    expect(await call({ city: 'Rome' })).toMatchObject({ result: { city: 'Rome', days: 3 } });
    expect(await call({ city: 'R' })).toMatchObject({ error: { code: 'TOOL_ARGUMENTS_INVALID' } });
    expect(await call('{"city')).toMatchObject({ error: { code: 'TOOL_ARGUMENTS_INVALID' } });
  });

  it.each<[unknown, object, RegExp | undefined]>([
    [{ a: 1 }, { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }, undefined],
    [{}, { type: 'object', required: ['a'] }, /lacks a/],
    [{ a: 1.5 }, { properties: { a: { type: 'integer' } } }, /\.a: expected integer/],
    [{ b: 1 }, { properties: {}, additionalProperties: false }, /unknown key b/],
    [[1, 'x'], { type: 'array', items: { type: 'number' } }, /\[1\]: expected number/],
    ['x', { enum: ['a', 'b'] }, /expected one of/],
    [{ a: [] }, { const: { a: [] } }, undefined],
    [3, { const: 4 }, /expected 4/],
    [3, { anyOf: [{ type: 'string' }, { type: 'null' }] }, /expected string.*or.*null/],
    [null, { type: ['string', 'null'] }, undefined],
  ])('%j by the schema %j', (value, schema, expected) => {
    const problem = findProblem(value, schema);
    if (expected === undefined) expect(problem).toBeUndefined();
    else expect(problem).toMatch(expected);
  });
});

describe('a call', () => {
  const run = (execute: () => unknown) =>
    executeTool({ id: 'a', name: 't', arguments: {} }, { execute }, {}, context, limits);

  it('gives text as it is, nothing as nothing, and anything else as JSON', async () => {
    expect((await run(() => 'text')).content).toBe('text');
    expect((await run(() => undefined)).content).toBe('');
    expect((await run(() => [1, null])).content).toBe('[1,null]');
  });

  it('never rejects, whatever is thrown', async () => {
    for (const thrown of [new Error('x'), 'text', null, undefined, { toString: () => 'odd' }]) {
      const outcome = await run(() => {
        throw thrown;
      });
      expect(outcome.error?.code).toBe('TOOL_FAILED');
      expect(outcome.content).toMatch(/^Error: /);
    }
  });
});

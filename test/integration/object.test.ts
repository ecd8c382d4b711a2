import { type } from 'arktype';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { type DeepPartial, loadModel, type Model, type ObjectResult } from '../../lib/index.js';
import { generateObject, streamObject } from '../../lib/object/generate-object.js';
import type { AnyObjectOptions } from '../../lib/object/types.js';
import { testModelPath } from '../helpers/model.js';
import { ScriptedHost } from '../helpers/scripted-host.js';

let model: Model;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 2048, sequences: 4, threads: 1 });
});
afterAll(async () => {
  await model.close();
});

const template =
  '{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}{% if enable_thinking %}<think>{% endif %}';

function scripted(...answers: ConstructorParameters<typeof ScriptedHost>[2]): ScriptedHost {
  return new ScriptedHost(model, template, answers);
}

const person = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 12 },
    tags: { type: 'array', items: { enum: ['red', 'green'] }, minItems: 1, maxItems: 2 },
  },
  required: ['name', 'tags'],
} as const;

describe('an object', () => {
  it('has the type and the form of a JSON schema', async () => {
    const result = await model.generateObject({
      schema: person,
      prompt: 'A person.',
      seed: 1,
      maxTokens: 80,
    });
    expectTypeOf(result.object).toEqualTypeOf<{ name: string; tags: ('red' | 'green')[] }>();
    expect(result.object).toStrictEqual(JSON.parse(result.text));
    expect(result.object.tags.length).toBeGreaterThan(0);
    expect(result.finishReason).toBe('stop');
    expect(result.usage.completionTokens).toBeGreaterThan(5);
    expect(result.timings.totalMs).toBeGreaterThan(0);
  });

  it('is inferred from a schema written in place', () => {
    const inPlace = () =>
      model.generateObject({
        schema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
        prompt: 'A number.',
      });
    expectTypeOf(inPlace).returns.resolves.toEqualTypeOf<ObjectResult<{ n: number }>>();
  });

  it('is validated and transformed by a schema of Zod', async () => {
    const schema = z.object({
      mood: z.enum(['happy', 'sad']),
      count: z
        .int()
        .min(1)
        .max(9)
        .transform((count) => 'x'.repeat(count)),
    });
    const { object, text } = await model.generateObject({
      schema,
      prompt: 'Anything.',
      seed: 3,
      maxTokens: 60,
    });
    expectTypeOf(object).toEqualTypeOf<{ mood: 'happy' | 'sad'; count: string }>();
    expect(object.count).toHaveLength((JSON.parse(text) as { count: number }).count);
  });

  it('comes from a schema of ArkType, which is a function', async () => {
    const schema = type({ color: "'red' | 'blue'", 'size?': '1 <= number.integer <= 9' });
    const { object } = await model.generateObject({ schema, prompt: 'Anything.', seed: 4, maxTokens: 60 });
    expectTypeOf(object).toEqualTypeOf<{ color: 'red' | 'blue'; size?: number }>();
    expect(schema(object)).toStrictEqual(object);
  });

  it('is the same again with the same seed', async () => {
    const options = { schema: person, prompt: 'A person.', seed: 5, temperature: 1, maxTokens: 80 };
    const [first, second] = await Promise.all([model.generateObject(options), model.generateObject(options)]);
    expect(first.text).toBe(second.text);
  });

  it('answers messages, and is told the schema behind the last one of the user', async () => {
    const host = scripted('{"name": "A", "tags": ["red"]}', '{"name": "B", "tags": ["red"]}');
    const messages = [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi' },
      { role: 'user', content: [{ type: 'text', text: 'A person.' }] },
    ] as const;
    await generateObject(host, { schema: person, system: 'Be brief.', messages });
    await generateObject(host, { schema: person, messages, schemaInPrompt: false });
    const [told, untold] = host.calls;
    expect(told?.prompt).toMatch(/^<system>Be brief\.<user>Hello<assistant>Hi<user>A person\./);
    expect(told?.prompt).toContain(JSON.stringify(person));
    expect(untold?.prompt).not.toContain('properties');
    // The form begins with the first character, so a template must not begin with thoughts.
    expect(told?.prompt).not.toContain('<think>');
    expect(told?.options).toMatchObject({ jsonSchema: person });
  });
});

const even = z.object({ n: z.int().refine((n) => n % 2 === 0, 'expected an even number') });

describe('an object that its schema refuses', () => {
  it('fails with the issues and the text', async () => {
    const failure = generateObject(scripted('{"n": 3}'), { schema: even, prompt: 'A number.' });
    await expect(failure).rejects.toMatchObject({
      name: 'ObjectError',
      code: 'OBJECT_INVALID',
      message: 'The answer does not fit its schema: n: expected an even number.',
      details: { text: '{"n": 3}', issues: [{ path: ['n'] }], attempts: 1 },
    });
  });

  it('is asked for again, with the reason', async () => {
    const host = scripted('{"n": 3}', '{"n": 5}', '{"n": 6}');
    const { object, usage } = await generateObject(host, { schema: even, prompt: 'A number.', retries: 2 });
    expect(object).toEqual({ n: 6 });
    expect(usage.completionTokens).toBe(24);
    expect(host.calls).toHaveLength(3);
    expect(host.calls[2]?.prompt).toMatch(
      /<assistant>\{"n": 3\}<user>That is not right: n: expected an even number\. Answer again\.<assistant>\{"n": 5\}<user>/,
    );
  });

  it('fails when all attempts are used', async () => {
    const failure = generateObject(scripted('{"n": 3}', '{"n": 5}', '{"n": 6}'), {
      schema: even,
      prompt: 'A number.',
      retries: 1,
    });
    await expect(failure).rejects.toMatchObject({
      code: 'OBJECT_INVALID',
      details: { text: '{"n": 5}', attempts: 2, usage: { completionTokens: 16 } },
    });
  });

  it('fails with the cause if the schema itself throws', async () => {
    const cause = new Error('no database');
    const schema = z.object({
      n: z.int().refine(() => {
        throw cause;
      }),
    });
    const failure = generateObject(scripted('{"n": 3}'), { schema, prompt: 'A number.' });
    await expect(failure).rejects.toMatchObject({ code: 'OBJECT_INVALID', cause });
  });
});

describe('an answer that is cut', () => {
  it('fails with its text and what can be read of it', async () => {
    const schema = {
      type: 'object',
      properties: { story: { type: 'string', minLength: 500 } },
      required: ['story'],
    };
    const failure = model.generateObject({ schema, prompt: 'A story.', maxTokens: 20, seed: 1 });
    const error = await failure.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'ObjectError', code: 'OBJECT_INCOMPLETE' });
    const { details } = error as {
      details: { text: string; partial: { story: string }; finishReason: string };
    };
    expect(details.finishReason).toBe('length');
    expect(details.partial.story.length).toBeGreaterThan(5);
    expect(details.text).toContain('{');
  });

  it('is an object all the same if nothing is missing', async () => {
    const schema = { type: 'array', items: { const: 1 }, minItems: 2, maxItems: 2 };
    const whole = await model.generateObject({ schema, prompt: 'Ones.', temperature: 0 });
    const { completionTokens } = whole.usage;
    const outcomes = await Promise.allSettled(
      Array.from({ length: completionTokens }, (_, index) =>
        model.generateObject({ schema, prompt: 'Ones.', temperature: 0, maxTokens: index + 1 }),
      ),
    );
    const last = outcomes.at(-1);
    expect(last?.status).toBe('fulfilled');
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'OBJECT_INCOMPLETE' });
      else expect(outcome.value.object).toEqual([1, 1]);
    }
    expect(outcomes[0]?.status).toBe('rejected');
  });

  it('is an AbortError when its signal fires', async () => {
    const failure = model.generateObject({
      schema: { type: 'string', minLength: 1000 },
      prompt: 'A story.',
      signal: AbortSignal.timeout(100),
    });
    await expect(failure).rejects.toMatchObject({ name: 'AbortError', code: 'ABORTED' });
  });
});

describe('a streamed object', () => {
  it('grows, and ends as the object', async () => {
    const answer = model.streamObject({ schema: person, prompt: 'A person.', seed: 2, maxTokens: 80 });
    const partials = [];
    for await (const partial of answer) {
      expectTypeOf(partial).toEqualTypeOf<{ name?: string; tags?: ('red' | 'green')[] }>();
      partials.push(partial);
    }
    const { object, text } = await answer.result;
    expect(partials[0]).toEqual({});
    expect(partials.length).toBeGreaterThan(3);
    expect(partials.at(-1)).toStrictEqual(object);
    expect(object).toStrictEqual(JSON.parse(text));
    for (const { name } of partials) expect(object.name.startsWith(name ?? '')).toBe(true);
  });

  it('has partial objects of what the model writes, and a result of what the schema makes of it', async () => {
    const schema = z.object({ day: z.string().transform((day) => new Date(day)) });
    const stream = () => model.streamObject({ schema, prompt: 'A day.' });
    type Stream = ReturnType<typeof stream>;
    type Partial = Stream extends AsyncIterable<infer Item> ? Item : never;
    expectTypeOf<Partial>().toEqualTypeOf<{ day?: string }>();
    expectTypeOf<Awaited<Stream['result']>['object']>().toEqualTypeOf<{ day: Date }>();

    const answer = streamObject(scripted('{"day": "2026-01-02"}'), { schema, prompt: 'A day.' });
    const days = [];
    for await (const partial of answer) days.push((partial as { day?: string }).day);
    expect(days.at(-1)).toBe('2026-01-02');
    expect((await answer.result).object).toEqual({ day: new Date('2026-01-02') });
  });

  it('gives the items of an array as they are complete', async () => {
    const schema = { type: 'array', items: person, minItems: 2, maxItems: 3 } as const;
    const answer = model.streamObject({ schema, prompt: 'Some persons.', seed: 3, maxTokens: 200 });
    const items = [];
    for await (const item of answer.items) {
      expectTypeOf(item).toEqualTypeOf<{ name: string; tags: ('red' | 'green')[] }>();
      items.push(item);
    }
    expect(items.length).toBeGreaterThanOrEqual(2);
    expect(items).toStrictEqual((await answer.result).object);
  });

  it('stops when its loop is left', async () => {
    const answer = streamObject(scripted({ text: '{"name": "An', hang: true }), {
      schema: person,
      prompt: 'A person.',
    });
    for await (const partial of answer) if ((partial as { name?: string }).name === 'An') break;
    await expect(answer.result).rejects.toMatchObject({
      code: 'OBJECT_INCOMPLETE',
      details: { finishReason: 'cancelled', partial: { name: 'An' } },
    });
  });

  it('fails through iteration as through its result', async () => {
    const answer = streamObject(scripted('{"n": 3}'), { schema: even, prompt: 'A number.' });
    const iterate = async () => {
      for await (const _partial of answer);
    };
    await expect(iterate()).rejects.toMatchObject({ code: 'OBJECT_INVALID' });
    await expect(answer.result).rejects.toMatchObject({ code: 'OBJECT_INVALID' });
  });

  it('of two readers loses nothing for either', async () => {
    const answer = streamObject(scripted('[1, 2, 3]'), { schema: { type: 'array' }, prompt: 'Numbers.' });
    const collect = async (items: AsyncIterable<unknown>) => {
      const all = [];
      for await (const item of items) all.push(item);
      return all;
    };
    const [first, second] = await Promise.all([collect(answer.items), collect(answer.items)]);
    expect(first).toEqual([1, 2, 3]);
    expect(second).toEqual([1, 2, 3]);
  });
});

describe('other forms', () => {
  it('are one of several texts, typed as such', async () => {
    const { object } = await model.generateObject({
      choice: ['positive', 'negative'],
      prompt: 'Is "I love it" positive or negative?',
    });
    expectTypeOf(object).toEqualTypeOf<'positive' | 'negative'>();
    expect(['positive', 'negative']).toContain(object);
  });

  it('are texts that match a regular expression or a grammar', async () => {
    const time = await model.generateObject({ regex: /^[0-2]\d:[0-5]\d$/, prompt: 'What time is it?' });
    expectTypeOf(time.object).toEqualTypeOf<string>();
    expect(time.object).toMatch(/^[0-2]\d:[0-5]\d$/);
    const move = await model.generateObject({
      grammar: 'root ::= [a-h] [1-8]',
      prompt: 'A square of chess.',
    });
    expect(move.object).toMatch(/^[a-h][1-8]$/);
  });

  it('grow as texts', async () => {
    const partials = [];
    const answer = model.streamObject({ choice: ['a long choice of words'], prompt: 'Which?' });
    for await (const text of answer) partials.push(text);
    expect(partials.length).toBeGreaterThan(1);
    expect(partials.at(-1)).toBe('a long choice of words');
    for (const text of partials) expect('a long choice of words'.startsWith(text)).toBe(true);
  });
});

describe('bad input', () => {
  const schema = { type: 'string' };
  const prompt = 'Hello';
  const messages = [{ role: 'user', content: 'Hello' }];
  const deep = (levels: number) => {
    let inner: object = { type: 'string' };
    for (let level = 0; level < levels; level++) inner = { type: 'array', items: inner };
    return inner;
  };

  it.each([
    [
      'prompt beside messages',
      { schema, prompt, messages },
      'INVALID_ARGUMENT',
      /nothing beside prompt for messages/,
    ],
    ['neither of them', { schema }, 'INVALID_ARGUMENT', /a text, or messages for prompt/],
    ['no form', { prompt }, 'INVALID_ARGUMENT', /a schema, or one of choice/],
    ['two forms', { prompt, schema, choice: ['a'] }, 'INVALID_ARGUMENT', /nothing beside schema for choice/],
    [
      'a schema that is none',
      { prompt, schema: 'object' },
      'INVALID_ARGUMENT',
      /a JSON schema, or a schema of a lib/,
    ],
    ['a misspelt option', { prompt, schema, maxToken: 5 }, 'INVALID_ARGUMENT', /Unknown option maxToken/],
    ['stop strings', { prompt, schema, stop: 'x' }, 'INVALID_ARGUMENT', /Unknown option stop/],
    [
      'thinking beside a choice',
      { prompt, choice: ['a'], enableThinking: true },
      'INVALID_ARGUMENT',
      /a schema beside it for enableThinking/,
    ],
    [
      'a budget of thoughts without any',
      { prompt, schema, reasoningBudget: 5 },
      'INVALID_ARGUMENT',
      /enableThinking: true beside it for reasoningBudget/,
    ],
    ['tools', { prompt, schema, tools: {} }, 'INVALID_ARGUMENT', /Unknown option tools/],
    [
      'a system prompt that is no text',
      { prompt, schema, system: 5 },
      'INVALID_ARGUMENT',
      /a string for system/,
    ],
    [
      'messages that are none',
      { schema, messages: [{ role: 'king', content: '' }] },
      'INVALID_MESSAGES',
      /king/,
    ],
    ['no message', { schema, messages: [] }, 'INVALID_MESSAGES', /no message to answer/],
    [
      'an answer as the last message',
      { schema, messages: [...messages, { role: 'assistant', content: 'Hi' }] },
      'INVALID_ARGUMENT',
      /not of the assistant/,
    ],
    ['a keyword', { prompt, schema: { type: 'number', minimum: 0 } }, 'INVALID_SCHEMA', /minimum/],
    ['a keyword of Zod', { prompt, schema: z.number().multipleOf(5) }, 'INVALID_SCHEMA', /multipleOf/],
    [
      'a reference to nothing',
      { prompt, schema: { $ref: '#/$defs/a' } },
      'INVALID_SCHEMA',
      /points to nothing/,
    ],
    ['a schema 20 000 deep', { prompt, schema: deep(20_000) }, 'INVALID_SCHEMA', /more than 64 deep/],
    [
      'what JSON has no type for',
      { prompt, schema: z.object({ day: z.date() }) },
      'INVALID_SCHEMA',
      /has no JSON schema/,
    ],
    [
      'a library without a conversion',
      { prompt, schema: { '~standard': { version: 1, vendor: 'other', validate: () => ({ value: 1 }) } } },
      'INVALID_SCHEMA',
      /schema of other, which brings no conversion/,
    ],
    ['a regular expression', { prompt, regex: /(?=a)/ }, 'INVALID_REGEX', /a lookahead/],
  ])('%s is refused at once', async (_, options, code, message) => {
    expect(() => model.streamObject(options as never)).toThrow(expect.objectContaining({ code }));
    expect(() => model.streamObject(options as never)).toThrow(message);
    await expect(generateObject(model, options as AnyObjectOptions)).rejects.toMatchObject({ code });
  });

  it('such as a grammar that admits nothing fails', async () => {
    const failure = model.generateObject({ grammar: 'root ::= [z-a]', prompt });
    await expect(failure).rejects.toMatchObject({ code: 'NO_TOKEN_ALLOWED' });
  });

  it('such as retries of a stream is refused', () => {
    const options = { schema, prompt, retries: 1 };
    expect(() => model.streamObject(options)).toThrow(/Unknown option retries/);
  });
});

describe('a partial value', () => {
  it('lacks what may still come, at every level', () => {
    interface Whole {
      text: string;
      list: { n: number }[];
      pair: readonly [a: 1, b: boolean | null];
    }
    expectTypeOf<DeepPartial<Whole>>().toEqualTypeOf<{
      text?: string;
      list?: { n?: number }[];
      pair?: (1 | boolean | null)[];
    }>();
  });
});

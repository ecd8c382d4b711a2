import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

const word = z.string().min(1).max(8);
const mood = z.enum(['happy', 'sad', 'angry', 'calm']);

/** Bounded, so that no answer needs many tokens. */
const schemas: Readonly<Record<string, z.ZodType>> = {
  'a text': word,
  'a whole number within bounds': z.int().min(-5).max(120),
  'a number': z.object({ price: z.number() }),
  'true or false': z.boolean(),
  'an enumeration': mood,
  'a constant': z.literal('yes'),
  'constants of several types': z.union([z.literal(1), z.literal('one'), z.literal(true), z.null()]),
  'an object': z.object({ name: word, age: z.int().min(0).max(120) }),
  'an object without others': z.strictObject({ mood, certain: z.boolean() }),
  'properties that may be missing': z.object({ a: mood.optional(), b: z.boolean().optional(), c: mood }),
  'null in place of a value': z.object({ nickname: word.nullable() }),
  'a list': z.array(mood).min(1).max(3),
  'a list of objects': z.array(z.object({ word, count: z.int().min(1).max(9) })).max(2),
  'a tuple': z.tuple([word, z.int().min(0).max(9), z.boolean()]),
  'a pattern': z.object({ code: z.string().regex(/^[A-Z]{2}-[0-9]{3}$/) }),
  'a date': z.object({ day: z.string().regex(/^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$/) }),
  'dates and times': z.object({
    day: z.iso.date(),
    time: z.iso.time({ precision: 0 }),
    moment: z.iso.datetime({ precision: 3 }),
  }),
  'an identifier': z.uuid(),
  addresses: z.object({ host: z.ipv4(), network: z.cidrv4(), hardware: z.mac() }),
  'a telephone number': z.e164(),
  'objects told apart by a property': z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('circle'), radius: z.int().min(1).max(99) }),
    z.object({ kind: z.literal('square'), side: z.int().min(1).max(99) }),
  ]),
  'objects in objects': z.object({
    outer: z.object({ inner: z.object({ mood, tags: z.array(mood).max(2) }) }),
  }),
  'other alphabets': z.object({ 城市: z.enum(['北京', '上海', 'Zürich', '😀']), 'a "b" \\': z.boolean() }),
};
const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

let model: Model;
let valid = 0;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 8192, sequences: 10, threads: 1 });
});
afterAll(async () => {
  await model.close();
  process.stdout.write(
    `structured output: ${valid} of ${Object.keys(schemas).length * seeds.length} answers fit\n`,
  );
});

describe('answers fit their schema, by the judgement of Zod, for', () => {
  test.each(Object.entries(schemas))('%s', async (name, schema) => {
    const answers = seeds.map((seed) =>
      // The JSON schema alone shapes the answer; Zod only judges what came of it.
      model.generateObject({
        schema: z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>,
        prompt: `An example of ${name}, please.`,
        schemaInPrompt: seed % 2 === 0,
        maxTokens: 120,
        temperature: seed > 5 ? 1.5 : 0.8,
        seed,
      }),
    );
    for (const { text, object } of await Promise.all(answers)) {
      expect(object).toStrictEqual(JSON.parse(text));
      expect(schema.safeParse(object).error).toBeUndefined();
      valid++;
    }
  });
});

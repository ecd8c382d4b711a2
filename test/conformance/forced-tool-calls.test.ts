import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadModel, type Model, tool } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';
import { readVendored } from '../helpers/vendored.js';

const word = z.string().min(1).max(8);

/** Bounded, so that no call needs many tokens. */
const toolParameters: Readonly<Record<string, z.ZodObject>> = {
  get_weather: z.strictObject({ city: word, unit: z.enum(['celsius', 'fahrenheit']) }),
  set_timer: z.strictObject({ minutes: z.int().min(1).max(90), loud: z.boolean() }),
  search: z.strictObject({ words: z.array(word).min(1).max(3) }),
  move: z.strictObject({ to: z.strictObject({ row: z.int().min(0).max(9), column: z.int().min(0).max(9) }) }),
  translate: z.strictObject({ text: word, to: z.enum(['中文', 'Deutsch', '日本語']) }),
};

/** The model's own template knows no tools; the others have a form of their own for calls. */
const templates: readonly [name: string, file: string | undefined][] = [
  ['its own', undefined],
  ['Qwen 2.5', 'Qwen-Qwen2.5-7B-Instruct.jinja'],
];
const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

let model: Model;
let valid = 0;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 8192, sequences: 10, threads: 1 });
});
afterAll(async () => {
  await model.close();
  const all = templates.length * Object.keys(toolParameters).length * seeds.length;
  process.stdout.write(`forced tool calls: ${valid} of ${all} parse and fit\n`);
});

describe.each(templates)('in the form of %s template, calls parse and fit their parameters:', (_, file) => {
  test.each(Object.entries(toolParameters))('%s', async (name, parameters) => {
    const template = file === undefined ? undefined : await readVendored('models', 'templates', file);
    const answers = seeds.map((seed) =>
      model.chat([{ role: 'user', content: 'Help me, please.' }], {
        ...(template !== undefined && { template }),
        tools: { [name]: tool({ description: `Does what ${name} says.`, parameters }) },
        toolChoice: 'required',
        parallelToolCalls: false,
        maxTokens: 150,
        seed,
      }),
    );
    for (const { result } of answers) {
      const { finishReason, toolCalls } = await result;
      expect(finishReason).toBe('tool-calls');
      expect(toolCalls).toHaveLength(1);
      expect(toolCalls[0]?.name).toBe(name);
      expect(parameters.safeParse(toolCalls[0]?.arguments).error).toBeUndefined();
      valid++;
    }
  });
});

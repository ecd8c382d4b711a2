import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { renderPrompt } from '../../lib/chat/render.js';
import { ToolBox } from '../../lib/chat/tool-box.js';
import { tool } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { GrammarTexts } from '../helpers/grammar-texts.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';

const place = z.strictObject({ row: z.int().min(-3).max(105), column: z.number().nullable() });

/** What forms of calls are loose about: what is optional, nested, an enumeration, or a text with bounds. */
const toolParameters: Readonly<Record<string, z.ZodObject>> = {
  book: z.strictObject({
    city: z.string().min(1).max(6),
    nights: z.int().min(1).max(30),
    class: z.enum(['first', 'second']),
    note: z.string().optional(),
    window: z.boolean().optional(),
  }),
  plan: z.strictObject({
    days: z.array(z.strictObject({ at: z.int().min(0).max(23), what: z.enum(['看书', 'run']) })).max(2),
    code: z.string().regex(/^[A-Z]{2}\d{1,3}$/),
    name: z
      .string()
      .regex(/^\p{Script=Han}{2,4}$/u)
      .optional(),
    place: place.optional(),
  }),
  ping: z.strictObject({}),
  tell: z.strictObject({ what: z.string().optional(), to: z.array(z.string().min(1)).min(1).optional() }),
};

const { book, ping } = toolParameters;
const withoutUnions = { ...toolParameters, plan: toolParameters.plan?.omit({ place: true }) };

/** What is left out for templates that spell schemas out, and fail where one has no type of its own, or for any array. */
const plainer: Readonly<Record<string, Readonly<Record<string, z.ZodObject | undefined>>>> = {
  'GigaChat3-10B-A1.8B.jinja': withoutUnions,
  'GigaChat3.1-10B-A1.8B.jinja': withoutUnions,
  'CohereForAI-c4ai-command-r-plus-tool_use.jinja': { book, ping },
};

/** The prompt of this template begins the thoughts with words. */
const thoughtsInPrompt: Readonly<Record<string, string>> = {
  'Apriel-1.6-15b-Thinker-fixed.jinja': 'Here are my reasoning steps:\n',
};

const toolBoxOf = (all: Readonly<Record<string, z.ZodObject | undefined>>) =>
  new ToolBox({
    tools: Object.fromEntries(
      Object.entries(all).map(([name, parameters]) => [
        name,
        tool({ description: `Does ${name}.`, parameters }),
      ]),
    ),
    toolChoice: 'required',
    maxParallelToolCalls: 2,
  });

const files = readdirSync(vendoredPath('models', 'templates')).filter((name) => name.endsWith('.jinja'));
const textsPerForm = 40;

let vocabulary: ModelHandle;
let calls = 0;
let valid = 0;

beforeAll(async () => {
  const addon = getAddon();
  const load = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
  const path = vendoredPath('models', 'ggml-vocab-qwen2.gguf');
  vocabulary = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
});
afterAll(async () => {
  await getAddon().closeModel(vocabulary);
  process.stdout.write(
    `calls at random: ${valid} of ${calls} parse and fit their schemas, in the forms of ${files.length} templates\n`,
  );
});

describe('whatever a grammar admits is a call with all arguments that it has to have, each once and as its schema says', () => {
  test.each(files)('in the form of %s', async (file) => {
    const addon = getAddon();
    const rendered = await renderPrompt(vocabulary, {
      messages: [{ role: 'user', content: 'Help me, please.' }],
      template: await readVendored('models', 'templates', file),
      ...toolBoxOf(plainer[file] ?? toolParameters).promptOptions(1),
    });
    const { format, parser: source, generationPrompt } = rendered;
    const begun = generationPrompt.slice(0, generationPrompt.length - (thoughtsInPrompt[file] ?? '').length);
    const parser = await addon.createChatParser({ format, source, generationPrompt, isContinuation: false });
    const texts = new GrammarTexts(rendered.grammar, 1);
    const wrong: unknown[] = [];
    for (let count = 0; count < textsPerForm; count++) {
      // The answer begins where the prompt ends.
      let text = texts.next();
      for (let tries = 0; tries < 5000 && !text.startsWith(begun); tries++) text = texts.next();
      expect(text.startsWith(begun), JSON.stringify([begun, text])).toBe(true);
      const message = await addon
        .parseChat(parser, text.slice(begun.length), false)
        .catch((error: unknown) => ({ toolCalls: [], error }));
      if (message.toolCalls.length === 0) wrong.push({ text, message });
      calls += Math.max(message.toolCalls.length, 1);
      for (const call of message.toolCalls) {
        const problem = problemOf(call.name, call.arguments);
        if (problem === undefined) valid++;
        else wrong.push({ text, call, problem });
      }
    }
    expect(wrong.slice(0, 3), `${wrong.length} wrong`).toEqual([]);
  });
});

/** Why arguments do not fit; a key that comes twice is lost when they are read. */
function problemOf(name: string, written: string): unknown {
  let input: unknown;
  try {
    input = JSON.parse(written);
  } catch (error) {
    return error;
  }
  const keys = Object.keys(input as object);
  const again = keys.find((key) => written.split(`${JSON.stringify(key)}:`).length > 2 && name !== 'plan');
  if (again !== undefined) return `${again} twice`;
  return toolParameters[name]?.safeParse(input).error?.issues;
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderPrompt } from '../../lib/chat/render.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import { readVendored } from '../helpers/vendored.js';

let vocabulary: ModelHandle;

beforeAll(async () => {
  const addon = getAddon();
  const load = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
  vocabulary = await addon.loadModel(await testModelPath(), load, addon.createCancelFlag(), () => {});
});
afterAll(async () => {
  await getAddon().closeModel(vocabulary);
});

const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'The weather.',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string' }, days: { type: 'integer' } },
        required: ['city', 'days'],
        additionalProperties: false,
      },
    },
  },
];

/** What tells whether a text is a call: what holds the model to it, and what reads it. */
async function createJudges(file: string) {
  const addon = getAddon();
  const rendered = await renderPrompt(vocabulary, {
    messages: [{ role: 'user', content: 'Hello' }],
    template: await readVendored('models', 'templates', `${file}.jinja`),
    tools,
    toolChoice: 'required',
    parallelToolCalls: true,
  });
  const { format, parser: source, generationPrompt } = rendered;
  const parser = await addon.createChatParser({ format, source, generationPrompt, isContinuation: false });
  return {
    admits: (text: string) =>
      addon.matchesGrammar(
        vocabulary,
        rendered.grammar,
        addon.tokenizeSync(vocabulary, generationPrompt + text, false, true),
      ),
    read: (text: string) => addon.parseChat(parser, text, false).catch(() => undefined),
  };
}

/** A call as each template writes it; · is where a model may put white space. */
const calls: readonly (readonly [file: string, call: string])[] = [
  [
    'GLM-4.6',
    '·<tool_call>·weather\n·<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n·<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n·</tool_call>·',
  ],
  [
    'poolside-Laguna-S-2.1',
    '·</think>·<tool_call>·weather·<arg_key>city</arg_key>·<arg_value>Oslo</arg_value>·<arg_key>days</arg_key>·<arg_value>3</arg_value>·</tool_call>·',
  ],
  [
    'Qwen-Qwen2.5-7B-Instruct',
    '·<tool_call>\n·{"name": "weather", "arguments": {"city": "Oslo", "days": 3}}·</tool_call>·',
  ],
  ['LFM2-8B-A1B', '<|tool_call_start|>[·weather(·city="Oslo",·days=3·)·]<|tool_call_end|>'],
];

describe('a call that the grammar admits', () => {
  it.each(calls)('in the form of %s is read, whatever white space it has', async (file, call) => {
    const { admits, read } = await createJudges(file);
    const pieces = call.split('·');
    const places = pieces.length - 1;
    let admitted = 0;
    for (let place = 0; place <= places; place++) {
      for (const space of ['\n', ' ', '\n\n  ']) {
        const text = pieces.map((piece, index) => piece + (index === place ? space : '')).join('');
        if (!(await admits(text))) continue;
        admitted++;
        expect((await read(text))?.toolCalls, JSON.stringify(text)).toMatchObject([{ name: 'weather' }]);
      }
    }
    expect(await admits(pieces.join(''))).toBe(true);
    expect(admitted).toBeGreaterThan(2);
  });
});

describe('the id of a call', () => {
  it.each(['mistralai-Mistral-Nemo-Instruct-2407'])('has an end in the form of %s', async (file) => {
    const { admits } = await createJudges(file);
    const call = (id: string) =>
      `[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Oslo", "days": 3}, "id": "${id}"}]`;
    expect(await admits(call('a1B2c3D4e'))).toBe(true);
    expect(await admits(call('a'.repeat(41)))).toBe(false);
    expect(await admits(call('a\nb'))).toBe(false);
  });
});

describe('a text in a call', () => {
  it.each([
    ['"O\\nslo \\u00f8 \\/ \\" \\\\"', true],
    [`'it"s'`, true],
    ['"O\nslo"', false],
    [`'O\tslo'`, false],
    ['"O\\ slo"', false],
  ])('such as %j in the form of LFM2 is held to JSON', async (text, isRight) => {
    const { admits, read } = await createJudges('LFM2-8B-A1B');
    const call = `<|tool_call_start|>[weather(city=${text}, days=3)]<|tool_call_end|>`;
    expect(await admits(call)).toBe(isRight);
    if (!isRight) return;
    const message = await read(call);
    expect(JSON.parse(message?.toolCalls[0]?.arguments ?? '')).toMatchObject({ days: 3 });
  });
});

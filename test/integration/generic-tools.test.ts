import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Chat, loadModel, type Model, tool } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';
import { ScriptedHost } from '../helpers/scripted-host.js';
import { readVendored } from '../helpers/vendored.js';

let model: Model;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 2048, threads: 1 });
});
afterAll(async () => {
  await model.close();
});

const counting = tool({
  description: 'Adds numbers.',
  parameters: {
    type: 'object',
    properties: {
      a: { type: 'integer', minimum: 0, maximum: 9 },
      b: { type: 'integer', minimum: 0, maximum: 9 },
    },
    required: ['a', 'b'],
    additionalProperties: false,
  },
  execute: ({ a, b }) => a + b,
});

function call(a: number, b: number): string {
  return `<tool_call>\n{"name": "add", "arguments": {"a": ${a}, "b": ${b}}}\n</tool_call>`;
}

describe('tools with a template that knows none', () => {
  // Of these, the second refuses system messages and the third any role but user and assistant.
  const own =
    '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';
  it.each([
    ['chatml', 'chatml'],
    ['one of a few words', own],
    ['that of Phi', 'microsoft-Phi-3.5-mini-instruct'],
    ['that of Gemma 2', 'google-gemma-2-2b-it'],
  ])('are described in words, called and answered: %s', async (_name, given) => {
    const isFile = given.includes('-');
    const template = isFile ? await readVendored('models', 'templates', `${given}.jinja`) : given;
    const host = new ScriptedHost(model, template, [`${call(1, 2)}\n${call(3, 4)}`, 'Three and seven.']);
    const chat = new Chat(host, { system: 'Be brief.', tools: { add: counting } });
    const result = await chat.send('Add.').result;
    expect(result).toMatchObject({ text: 'Three and seven.', steps: 2 });
    const [first, second] = host.calls;
    expect(first?.prompt).toContain('Adds numbers.');
    expect(first?.prompt).toContain('Be brief.');
    expect(second?.prompt).toContain(
      '<tool_response>\n3\n</tool_response>\n<tool_response>\n7\n</tool_response>',
    );
    expect(second?.prompt).toContain('"arguments":{"a":1,"b":2}');
    expect(chat.history.map(({ role }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'tool',
      'tool',
      'assistant',
    ]);
  });

  it('are called by the real model, whose arguments parse', async () => {
    for (const seed of [1, 2, 3]) {
      const chat = model.createChat({ tools: { add: counting }, maxTokens: 100, temperature: 1, seed });
      const answer = chat.send('Add two numbers.', {
        toolChoice: 'required',
        parallelToolCalls: false,
        maxSteps: 2,
      });
      const { steps } = await answer.result;
      expect(steps).toBe(2);
      const asked = chat.history[1]?.toolCalls?.[0]?.arguments as { a: number; b: number };
      expect(chat.history[2]?.content).toBe(String(asked.a + asked.b));
    }
  });
});

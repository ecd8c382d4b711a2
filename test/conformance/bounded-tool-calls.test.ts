import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { renderPrompt } from '../../lib/chat/render.js';
import { boundCalls } from '../../lib/chat/tool-grammar.js';
import { loadModel, type Model, tool } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { testModelPath } from '../helpers/model.js';
import { readVendored, vendoredPath } from '../helpers/vendored.js';

let vocabulary: ModelHandle;
let model: Model;

beforeAll(async () => {
  const path = await testModelPath();
  const addon = getAddon();
  const load = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
  vocabulary = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
  model = await loadModel(path, { contextSize: 4096, sequences: 5, threads: 1 });
});
afterAll(async () => {
  await getAddon().closeModel(vocabulary);
  await model.close();
});

const parameters = {
  type: 'object',
  properties: { x: { type: 'integer', minimum: 0, maximum: 9 } },
  required: ['x'],
  additionalProperties: false,
} as const;
const tools = ['aa', 'bb'].map((name) => ({
  type: 'function',
  function: { name, description: 'Does something.', parameters },
}));

async function grammarOf(template: string, options: object): Promise<string> {
  const messages = [{ role: 'user', content: 'Hello' }] as const;
  const rendered = await renderPrompt(vocabulary, {
    messages,
    template,
    tools,
    toolChoice: 'required',
    parallelToolCalls: true,
    ...options,
  });
  return rendered.grammar;
}

/** Rules that name calls or tools, without their texts, but not what is within one call. */
function rulesOfCalls(grammar: string): string[] {
  const bare = grammar.replace(/"(?:\\.|[^"\\])*"/g, '""');
  return bare
    .split('\n')
    .filter((rule) => !/^[\w-]*tool-(?:aa|bb)/.test(rule))
    .filter((rule) => /::=.*\b(?:tool-(?:aa|bb|calls?)\b|tools\b)/.test(rule))
    .map((rule) => rule.replaceAll(/\(start \w+\)\*/g, ''));
}

const files = await readdir(vendoredPath('models', 'templates'));

describe('the calls of one answer have an end in the form of', () => {
  test.each(files.filter((file) => file.endsWith('.jinja')))('%s', async (file) => {
    const template = await readVendored('models', 'templates', file);
    for (const options of [{}, { maxParallelToolCalls: 2 }, { parallelToolCalls: false }]) {
      const rules = rulesOfCalls(await grammarOf(template, options));
      expect(rules.length).toBeGreaterThan(0);
      for (const rule of rules) expect(rule).not.toMatch(/[\w)][*+]/);
    }
  });
});

describe('a bound of calls', () => {
  const call = '<tool_call>\n{"name": "aa", "arguments": {"x": 1}}\n</tool_call>\n';
  const pair =
    '<tool_call>\n{"name": "aa", "arguments": {"x": 1}},{"name": "bb", "arguments": {"x": 2}}</tool_call>\n';

  it.each([
    [1, [call], [call + call, pair]],
    [2, [call, call + call, pair], [call + call + call, call + pair, pair + call]],
    [16, [call.repeat(16)], [call.repeat(17)]],
  ])('of %i admits as many, in whatever way they stand together', async (most, right, wrong) => {
    const template = await readVendored('models', 'templates', 'Qwen-Qwen2.5-7B-Instruct.jinja');
    const grammar = await grammarOf(template, most === 16 ? {} : { maxParallelToolCalls: most });
    for (const text of [...right, ...wrong]) {
      const tokens = await model.tokenize(`<|im_start|>assistant\n${text}`, { parseSpecial: true });
      const admitted = await getAddon().matchesGrammar(vocabulary, grammar, tokens);
      expect(admitted, text).toBe(right.includes(text));
    }
  });

  it('leaves the arguments of a call alone', () => {
    const rule = 'tool-aa ::= "(" ("x" tool-aa-arg-x)* ")"';
    expect(boundCalls(`root ::= tool-call\ntool-call ::= (tool-aa)+\n${rule}\n`, 2)).toContain(rule);
  });

  it('ends the answer of a model that has to call and goes on calling', async () => {
    const template = await readVendored('models', 'templates', 'Qwen-Qwen2.5-7B-Instruct.jinja');
    const [end = 0] = await model.tokenize('<|im_end|>', { addSpecial: false, parseSpecial: true });
    const answers = [1, 2, 3, 4, 5].map(
      (seed) =>
        model.chat([{ role: 'user', content: 'Call aa, again and again.' }], {
          template,
          tools: { aa: tool({ parameters }) },
          toolChoice: 'required',
          maxParallelToolCalls: 3,
          logitBias: { [end]: -100 }, // the last thing that it wants is to end
          seed,
          maxTokens: 300,
        }).result,
    );
    for (const { finishReason, toolCalls } of await Promise.all(answers)) {
      expect(finishReason).toBe('tool-calls');
      expect(toolCalls).toHaveLength(3);
    }
  });
});

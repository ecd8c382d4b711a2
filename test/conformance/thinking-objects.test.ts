import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toSchemaText } from '../../lib/generate/check-json-schema.js';
import { loadModel, type Model } from '../../lib/index.js';
import { getAddon, type ModelHandle } from '../../lib/native/addon.js';
import { generateObject, streamObject } from '../../lib/object/generate-object.js';
import { testModelPath } from '../helpers/model.js';
import { ScriptedHost } from '../helpers/scripted-host.js';
import { readVendored } from '../helpers/vendored.js';

let model: Model;
let vocabulary: ModelHandle;

beforeAll(async () => {
  const path = await testModelPath();
  model = await loadModel(path, { contextSize: 2048, threads: 1 });
  const addon = getAddon();
  const load = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
  vocabulary = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
});
afterAll(async () => {
  await getAddon().closeModel(vocabulary);
  await model.close();
});

const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] } as const;
const json = '{"ok": true}';
const fenced = `\`\`\`json\n${json}\n\`\`\``;

/** How models with these templates write a thought and an object. Some prompts have begun the thought. */
const forms: readonly (readonly [file: string, written: string])[] = [
  ['Qwen-Qwen3-0.6B', `<think>\nhm\n</think>\n\n${json}`],
  ['Qwen3.5-4B', `hm\n</think>\n\n${json}`],
  ['Qwen-QwQ-32B', `hm\n</think>\n\n${json}`],
  ['NVIDIA-Nemotron-3-Nano-30B-A3B-BF16', `hm\n</think>\n${json}`],
  ['GLM-4.6', `<think>hm</think>\n${json}`],
  ['GLM-4.7-Flash', `hm</think>${json}`],
  ['deepseek-ai-DeepSeek-R1-Distill-Qwen-32B', `hm</think>${json}`],
  ['deepseek-ai-DeepSeek-V3.1', `hm</think>${json}`],
  ['deepseek-ai-DeepSeek-V3.2', `hm</think>${fenced}`],
  ['mistralai-Ministral-3-14B-Reasoning-2512', `[THINK]hm[/THINK]${fenced}`],
  ['google-gemma-4-31B-it', `<|channel>thought\nhm<channel|>${fenced}`],
  [
    'openai-gpt-oss-120b',
    `<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>${json}`,
  ],
  // llama.cpp makes no grammar of a schema for these.
  ['Kimi-K2-Instruct', `<think>hm</think>${json}`],
  ['moonshotai-Kimi-K2', `<think>hm</think>${json}`],
  ['Kimi-K3', `hm<|close|>think<|sep|>${json}`],
  ['inclusionai-ling-3.0-flash', `hm</think>${json}`],
];

/** Whether a grammar admits what is written behind a prompt. */
async function admits(host: ScriptedHost, written: string): Promise<boolean> {
  const request = host.calls[0]?.request;
  if (request === undefined) throw new Error('The host was not asked.');
  const { grammar, generationPrompt, grammarBeginsWithAnswer } = await host.renderPrompt(request);
  const text = grammarBeginsWithAnswer === true ? written : generationPrompt + written;
  const tokens = await model.tokenize(text, { addSpecial: false, parseSpecial: true });
  return getAddon().matchesGrammar(vocabulary, grammar, tokens);
}

describe('an object of a model that thinks first', () => {
  it.each(forms)('has thoughts and JSON in the form of %s', async (file, written) => {
    const template = await readVendored('models', 'templates', `${file}.jinja`);
    const host = new ScriptedHost(model, template, [written]);
    const result = await generateObject(host, { schema, prompt: 'Is it?', enableThinking: true });
    expect(result).toMatchObject({ object: { ok: true }, text: json });
    expect(result.reasoning.trim()).toBe('hm');
    expect(await admits(host, written)).toBe(true);
    expect(await admits(host, written.replace('true', '5'))).toBe(false);
  });

  it.each(['Qwen3.5-4B', 'inclusionai-ling-3.0-flash'])(
    'ends its thoughts in the form of %s',
    async (file) => {
      const template = await readVendored('models', 'templates', `${file}.jinja`);
      const host = new ScriptedHost(model, template, [`hm</think>${json}`]);
      await generateObject(host, { schema, prompt: 'Is it?', enableThinking: true });
      expect(await admits(host, `hm ${json}`)).toBe(false);
      expect(await admits(host, `hm </thin < </think>${json}`)).toBe(true);
    },
  );

  it.each(['muse-glimmer', 'meetkai-functionary-medium-v3.2'])(
    'is refused for %s, whose answers are no JSON alone',
    async (file) => {
      const template = await readVendored('models', 'templates', `${file}.jinja`);
      const host = new ScriptedHost(model, template, [json]);
      const thinking = generateObject(host, { schema, prompt: 'Is it?', enableThinking: true });
      await expect(thinking).rejects.toMatchObject({ code: 'INVALID_SCHEMA' });
    },
  );

  it('streams its thoughts, and then the object', async () => {
    const template = await readVendored('models', 'templates', 'Qwen-Qwen3-0.6B.jinja');
    const host = new ScriptedHost(model, template, [`<think>\nFirst this, then that.\n</think>\n\n${json}`]);
    const answer = streamObject(host, { schema, prompt: 'Is it?', enableThinking: true });
    const thoughts: string[] = [];
    for await (const text of answer.reasoningStream) thoughts.push(text);
    const partials: unknown[] = [];
    for await (const partial of answer) partials.push(partial);
    expect(thoughts.join('').trim()).toBe('First this, then that.');
    expect(partials.at(-1)).toEqual({ ok: true });
    expect((await answer.result).reasoning.trim()).toBe('First this, then that.');
  });

  it('is incomplete, with its thoughts, where these take all tokens', async () => {
    const template = await readVendored('models', 'templates', 'Qwen-Qwen3-0.6B.jinja');
    const host = new ScriptedHost(model, template, [{ text: '<think>\nOn and on', hang: true }]);
    const answer = streamObject(host, { schema, prompt: 'Is it?', enableThinking: true });
    for await (const text of answer.reasoningStream) if (text.includes('n')) break;
    await expect(answer.result).rejects.toMatchObject({
      code: 'OBJECT_INCOMPLETE',
      details: { text: '', reasoning: expect.stringContaining('On') as string, partial: undefined },
    });
  });

  it('comes from a real model, whose thoughts end with their budget', async () => {
    const template = `{%- for m in messages -%}<|im_start|>{{ m.role }}
{% if m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{%- if add_generation_prompt -%}<|im_start|>assistant
<think>
{%- endif -%}`;
    const { object, reasoning } = await model.generateObject({
      schema,
      prompt: 'Is two and two four?',
      template,
      enableThinking: true,
      reasoningBudget: 8,
      temperature: 0,
      maxTokens: 60,
    });
    expect(object).toEqual({ ok: expect.any(Boolean) as boolean });
    expect(reasoning).not.toBe('');
  });

  it('is JSON from its first character on without enableThinking', async () => {
    const template = await readVendored('models', 'templates', 'Qwen-Qwen3-0.6B.jinja');
    const host = new ScriptedHost(model, template, [json]);
    expect((await generateObject(host, { schema, prompt: 'Is it?' })).reasoning).toBe('');
    expect(host.calls[0]?.options.jsonSchema).toEqual(schema);
  });
});

describe('a schema of a chat', () => {
  it('holds also where llama.cpp makes no grammar of it', async () => {
    const template = await readVendored('models', 'templates', 'GigaChat3-10B-A1.8B.jinja');
    const rendered = await new ScriptedHost(model, template, []).renderPrompt({
      messages: [{ role: 'user', content: 'Is it?' }],
      jsonSchema: toSchemaText(schema),
    });
    expect(rendered).toMatchObject({ grammarBeginsWithAnswer: true });
    for (const [text, isRight] of [
      [json, true],
      ['Yes.', false],
    ] as const) {
      const tokens = await model.tokenize(text, { addSpecial: false });
      expect(await getAddon().matchesGrammar(vocabulary, rendered.grammar, tokens)).toBe(isRight);
    }
  });
});

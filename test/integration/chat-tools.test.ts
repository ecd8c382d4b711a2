import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Chat, type ChatOptions, type ChatPart, loadModel, type Model, tool } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';
import { type ScriptedAnswer, ScriptedHost } from '../helpers/scripted-host.js';
import { readVendored } from '../helpers/vendored.js';

let model: Model;
let template: string;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { vocabOnly: true });
  template = await readVendored('models', 'templates', 'Qwen-Qwen2.5-7B-Instruct.jinja');
});
afterAll(async () => {
  await model.close();
});

const parameters = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city'],
} as const;

const weather = tool({
  description: 'The weather in a city.',
  parameters,
  execute: ({ city }) => ({ city, sky: 'clear' }),
});

function call(name: string, input: unknown): string {
  return `<tool_call>\n${JSON.stringify({ name, arguments: input })}\n</tool_call>`;
}

function chatWith(answers: readonly ScriptedAnswer[], options: ChatOptions) {
  const host = new ScriptedHost(model, template, answers);
  return { host, chat: new Chat(host, options) };
}

async function collect(parts: AsyncIterable<ChatPart>): Promise<ChatPart[]> {
  const all: ChatPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

describe('tools', () => {
  it('are called with the arguments that the model writes, and it answers from the result', async () => {
    const { chat, host } = chatWith([`Let me see.\n${call('weather', { city: '北京' })}`, '北京天气晴朗。'], {
      tools: { weather },
    });
    const answer = chat.send('How is the weather in Beijing?');
    const parts = await collect(answer);
    const result = await answer.result;

    expect(result).toMatchObject({ text: '北京天气晴朗。', steps: 2, finishReason: 'stop', toolCalls: [] });
    const growing = parts.filter((part) => part.type === 'tool-call');
    expect(growing.length).toBeGreaterThan(1);
    expect(growing.at(-1)).toMatchObject({ complete: true, name: 'weather', arguments: { city: '北京' } });
    for (const [index, part] of growing.entries()) {
      if (index > 0)
        expect(part.argumentsText.startsWith(growing[index - 1]?.argumentsText ?? '-')).toBe(true);
      expect(part.id).toBe(growing[0]?.id);
    }
    expect(parts.find((part) => part.type === 'tool-result')).toMatchObject({
      name: 'weather',
      id: growing[0]?.id,
      result: { city: '北京', sky: 'clear' },
    });
    expect(chat.history.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant']);
    expect(chat.history[2]?.content).toBe('{"city":"北京","sky":"clear"}');
    expect(host.calls[1]?.prompt).toContain('{"city":"北京","sky":"clear"}');
    expect(host.calls[0]?.prompt).toContain('The weather in a city.');
    expect(result.usage.completionTokens).toBeGreaterThan(result.text.length);
  });

  it('run at the same time when several are asked for, and answer in their order', async () => {
    let running = 0;
    let most = 0;
    const slow = tool({
      parameters: { type: 'object', properties: { ms: { type: 'number' } }, required: ['ms'] },
      execute: async ({ ms }) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, ms));
        running--;
        return `slept ${ms}`;
      },
    });
    const { chat } = chatWith([`${call('slow', { ms: 40 })}\n${call('slow', { ms: 5 })}`, 'Done.'], {
      tools: { slow },
    });
    await chat.send('Sleep twice.').result;
    expect(most).toBe(2);
    expect(chat.history.filter(({ role }) => role === 'tool').map(({ content }) => content)).toEqual([
      'slept 40',
      'slept 5',
    ]);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('no network')), 'TOOL_FAILED', /no network/],
    ['never returns', () => new Promise(() => {}), 'TOOL_TIMEOUT', /in time/],
    ['returns ten megabytes', () => 'x'.repeat(10_000_000), 'TOOL_RESULT_INVALID', /10000000 characters/],
    ['returns a BigInt', () => 1n, 'TOOL_RESULT_INVALID', /JSON/],
  ])('that %s: the model is told, and the chat goes on', async (_name, execute, code, message) => {
    const broken = tool({ parameters: { type: 'object', properties: {} }, execute });
    const { chat } = chatWith([call('broken', {}), 'It did not work.'], {
      tools: { broken },
      toolTimeoutMs: 200,
    });
    const answer = chat.send('Try it.');
    const parts = await collect(answer);
    expect(parts.find((part) => part.type === 'tool-result')).toMatchObject({
      error: { code, message: expect.stringMatching(message) },
    });
    expect(chat.history[2]?.content).toMatch(message);
    expect((await answer.result).text).toBe('It did not work.');
  });

  it('that the model invents, or gives wrong arguments, are errors that it is told', async () => {
    const { chat } = chatWith([call('weather', { town: 'Rome' }), 'Sorry.', 'Hello.'], {
      tools: { weather },
    });
    await chat.send('Rome?').result;
    expect(chat.history[2]?.content).toMatch(/lacks city/);
    // A template's parser knows the names of the tools; a name that is none of them cannot be read as a call.
    const scripted = new Chat(new ScriptedHost(model, template, [call('nothing', {})]), {
      tools: { weather },
    });
    const outcome = await scripted.send('Call nothing.').result.catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: 'CHAT_OUTPUT_INVALID' });
    expect(scripted.history).toEqual([]);
    await expect(chat.send('Hi').result).resolves.toMatchObject({ text: 'Hello.' });
  });

  it('stop at the step limit: the last step has none', async () => {
    const again = call('weather', { city: 'Oslo' });
    const { chat, host } = chatWith([again, again, 'Enough.'], { tools: { weather }, maxSteps: 3 });
    const result = await chat.send('Weather?').result;
    expect(result).toMatchObject({ text: 'Enough.', steps: 3 });
    expect(host.calls.map(({ request }) => request.toolChoice)).toEqual(['auto', 'auto', 'none']);
  });

  it('without execute are handed to the caller, who sends the results', async () => {
    const { chat } = chatWith([call('ask', { q: 1 }), 'Thank you.'], {
      tools: { ask: tool({ parameters: { type: 'object', properties: { q: { type: 'number' } } } }) },
    });
    const result = await chat.send('Ask me.').result;
    expect(result).toMatchObject({
      finishReason: 'tool-calls',
      toolCalls: [{ name: 'ask', arguments: { q: 1 } }],
    });
    expect(() => chat.send('Well?')).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGES' }));
    const [asked] = result.toolCalls;
    const answer = chat.send([{ role: 'tool', toolCallId: asked?.id ?? '', content: '42' }]);
    expect((await answer.result).text).toBe('Thank you.');
  });

  it('are chosen by toolChoice for the first step', async () => {
    const options = {
      tools: { weather, other: tool({ execute: () => 1 }) },
      toolChoice: { name: 'weather' },
    };
    const { chat, host } = chatWith([call('weather', { city: 'Rome' }), 'Sunny.'], options);
    await chat.send('Rome?').result;
    expect(host.calls[0]?.request).toMatchObject({ toolChoice: 'required' });
    expect(host.calls[0]?.request.tools).toHaveLength(1);
    expect(host.calls[1]?.request).toMatchObject({ toolChoice: 'auto' });
  });

  it('are stopped with the answer: by the signal, and when the loop is left', async () => {
    const signals: AbortSignal[] = [];
    const endless = tool({
      execute: (_input, { signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    const answers = [call('endless', {}), call('endless', {}), 'Hello.'];
    const { chat } = chatWith(answers, { tools: { endless } });
    const controller = new AbortController();
    const aborted = chat.send('Go.', { signal: controller.signal });
    for await (const part of aborted) {
      if (part.type === 'tool-call' && part.complete) break;
    }
    expect(await aborted.result).toMatchObject({ finishReason: 'cancelled' });
    const second = chat.send('Again.', { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await expect(second.result).rejects.toMatchObject({ code: 'ABORTED' });
    expect(signals.every(({ aborted: fired }) => fired)).toBe(true);
    expect((await chat.send('Hi').result).text).toBe('Hello.');
  });

  it.each([
    ['a name with spaces', { 'my tool': weather }],
    ['a name that grammars have for all calls', { call: weather }],
    ['names that are the same to a grammar', { 'a.b': weather, a_b: weather }],
    ['parameters that are no object', { t: tool({ parameters: { type: 'string' } }) }],
    ['a schema nested too deep', { t: tool({ parameters: nested(500) }) }],
    ['a tool that is none', { t: 1 as never }],
    [
      'a schema library without a conversion',
      {
        t: tool({
          parameters: { '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => ({ value }) } },
        }),
      },
    ],
  ])('with %s are refused', (_name, tools) => {
    expect(() => new Chat(new ScriptedHost(model, template, []), { tools })).toThrow(
      expect.objectContaining({ code: 'INVALID_TOOL' }),
    );
  });

  it('named by toolChoice must be there', () => {
    expect(() => chatWith([], { tools: { weather }, toolChoice: { name: 'nope' } })).toThrow(
      expect.objectContaining({ code: 'TOOL_NOT_FOUND' }),
    );
    expect(() => chatWith([], { toolChoice: 'required' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

function nested(depth: number) {
  let schema: object = { type: 'string' };
  for (let level = 0; level < depth; level++) schema = { type: 'object', properties: { a: schema } };
  return schema as { readonly [keyword: string]: unknown };
}

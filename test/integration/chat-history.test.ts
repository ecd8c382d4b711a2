import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Chat, type ChatMessage, loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';
import { ScriptedHost } from '../helpers/scripted-host.js';

let model: Model;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 512, threads: 1, sequences: 2 });
});
afterAll(async () => {
  await model.close();
});

const brief = { temperature: 0, maxTokens: 8 } as const;

describe('the history of a chat', () => {
  it('is edited: what followed the message is forgotten', async () => {
    const chat = model.createChat({ system: 'Be brief.', ...brief });
    await chat.send('Name a colour.').result;
    await chat.send('Name an animal.').result;
    const { message } = await chat.edit(1, 'Name a river.').result;
    expect(chat.history).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Name a river.' },
      message,
    ]);
    expect(() => chat.edit(0, 'You are evil.')).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => chat.edit(9, 'x')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('gets another last answer', async () => {
    const chat = model.createChat(brief);
    const first = await chat.send('Tell me a story.').result;
    const second = await chat.regenerate({ maxTokens: 4 }).result;
    expect(chat.history).toEqual([{ role: 'user', content: 'Tell me a story.' }, second.message]);
    expect(first.text.startsWith(second.text)).toBe(true);
    expect(second.usage.cachedTokens).toBeGreaterThan(first.usage.promptTokens - 3);
    expect(() => model.createChat().regenerate()).toThrow(
      expect.objectContaining({ code: 'INVALID_MESSAGES' }),
    );
  });

  it('goes on where the last answer was cut off', async () => {
    const whole = await model.createChat(brief).send('Count from one to ten.', { maxTokens: 16 }).result;
    const chat = model.createChat(brief);
    const first = await chat.send('Count from one to ten.').result;
    const answer = chat.continue();
    let added = '';
    for await (const text of answer.textStream) added += text;
    expect((await answer.result).text).toBe(added);
    expect(chat.history).toHaveLength(2);
    expect(chat.history[1]?.content).toBe(first.text + added);
    expect(whole.text.startsWith(first.text + added.slice(0, 3))).toBe(true);
    expect(() => model.createChat().continue()).toThrow(
      expect.objectContaining({ code: 'INVALID_MESSAGES' }),
    );
  });

  it('is forked: both go their own way from one cached past', async () => {
    const chat = model.createChat({ system: 'You are a helpful assistant.', ...brief });
    await chat.send('Name a colour.').result;
    const fork = chat.fork({ maxTokens: 2 }); // fewer than any answer has
    const [one, two] = await Promise.all([
      chat.send('Another one.').result,
      fork.send('And now an animal.').result,
    ]);
    expect(two.usage.cachedTokens).toBeGreaterThan(20);
    expect(two.usage.completionTokens).toBe(2);
    expect(chat.history.at(-1)).toEqual(one.message);
    expect(fork.history.at(-1)).toEqual(two.message);
    expect(fork.history.slice(0, 3)).toEqual(chat.history.slice(0, 3));
    fork.reset();
    expect(fork.history).toEqual([{ role: 'system', content: 'You are a helpful assistant.' }]);
  });

  it('becomes JSON and comes back', async () => {
    const chat = model.createChat({ system: '你好', ...brief });
    await chat.send([
      { type: 'text', text: 'Hi' },
      { type: 'text', text: 'there' },
    ]).result;
    const text = JSON.stringify(chat);
    for (const json of [text, JSON.parse(text), chat.toJSON()]) {
      const restored = Chat.fromJSON(model, json, brief);
      expect(restored.history).toEqual(chat.history);
      restored.reset();
      expect(restored.history).toEqual([{ role: 'system', content: '你好' }]);
    }
    for (const bad of ['{', '1', 'null', '{"version":2}', '{"version":1,"history":[{"role":1}]}']) {
      expect(() => Chat.fromJSON(model, bad)).toThrow(expect.objectContaining({ code: 'STATE_INVALID' }));
    }
  });
});

describe('a history that has outgrown the context', () => {
  const long = (topic: string) => `${topic}: ${'word '.repeat(60)}`;
  const system = 'You answer in one word.';

  it('loses its oldest exchanges if the caller says so; the system prompt stays', async () => {
    const chat = model.createChat({ system, overflow: 'drop-oldest', ...brief });
    for (let round = 0; round < 9; round++) await chat.send(long(`Topic ${round}`)).result;
    expect(chat.history[0]).toEqual({ role: 'system', content: system });
    expect(chat.history[1]?.role).toBe('user');
    expect(chat.history.length).toBeLessThan(17);
    expect(chat.history.at(-2)?.content).toContain('Topic 8');
    expect(JSON.stringify(chat.history)).not.toContain('Topic 0');
  });

  it('is summed up by the model itself', async () => {
    const answers = [
      'one',
      'two',
      'three',
      'They talked about rivers.',
      'four',
      'five',
      'six',
      'Seas too.',
      'x',
    ];
    const host = new ScriptedHost(model, 'chatml', answers, 400);
    const chat = new Chat(host, { system, overflow: 'summarize' });
    for (let round = 0; round < 4; round++) await chat.send(long(`Topic ${round}`)).result;
    expect(chat.history[0]).toEqual({
      role: 'system',
      content: `${system}\n\nSummary of the conversation so far:\nThey talked about rivers.`,
    });
    expect(chat.history.at(-2)?.content).toContain('Topic 3');
    expect(chat.history.at(-1)?.content).toBe('four');
    for (let round = 4; round < 7; round++) await chat.send(long(`Topic ${round}`)).result;
    const head = chat.history[0]?.content;
    expect(head).toMatch(/^You answer in one word\.\n\nSummary of the conversation so far:\n[\w .]+$/);
    expect(head).not.toContain('rivers');
    expect(host.calls.find(({ prompt }) => prompt.includes('Sum up'))?.prompt).toContain('Topic 0');
    chat.reset();
    expect(chat.history).toEqual([{ role: 'system', content: system }]);
  });

  it('fails if nothing else was said, and stays as it was', async () => {
    const chat = model.createChat({ system, ...brief });
    let rounds = 0;
    const talk = async () => {
      for (; rounds < 20; rounds++) await chat.send(long(`Topic ${rounds}`)).result;
    };
    await expect(talk()).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
    expect(chat.history).toHaveLength(1 + 2 * rounds);
    const single = model.createChat({ overflow: 'drop-oldest', ...brief });
    await expect(single.send('word '.repeat(2000)).result).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
  });
});

describe('messages', () => {
  const user: ChatMessage = { role: 'user', content: 'Hi' };

  it('are answered once, without being remembered', async () => {
    const history = [{ role: 'system', content: 'Be brief.' }, user];
    const answer = model.chat(history, brief);
    let text = '';
    for await (const part of answer) if (part.type === 'text') text += part.text;
    const result = await answer.result;
    expect(result).toMatchObject({ text, reasoning: '', toolCalls: [], steps: 1 });
    expect(result.message).toEqual({ role: 'assistant', content: text });
    expect(history).toHaveLength(2);
  });

  it('that end with an answer have it continued', async () => {
    const begun = { role: 'assistant', content: 'The capital of France is' };
    const result = await model.chat([user, begun], brief).result;
    expect(result.message.content).toBe(begun.content + result.text);
    expect(result.text).not.toBe('');
  });

  it.each<[string, readonly unknown[], string]>([
    ['none', [], 'INVALID_MESSAGES'],
    ['an unknown role', [{ role: 'wizard', content: 'x' }], 'INVALID_MESSAGES'],
    ['a result of no call', [user, { role: 'tool', content: 'x', toolCallId: 'a' }], 'INVALID_MESSAGES'],
    [
      'a call without its result',
      [user, { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'f', arguments: {} }] }, user],
      'INVALID_MESSAGES',
    ],
    ['an image', [{ role: 'user', content: [{ type: 'image', image: 'x' }] }], 'CONTENT_UNSUPPORTED'],
    ['a part that is none', [{ role: 'user', content: [null] }], 'CONTENT_UNSUPPORTED'],
    ['a number as text', [{ role: 'user', content: [{ type: 'text', text: 1 }] }], 'INVALID_ARGUMENT'],
    ['a cycle in arguments', [cyclic()], 'INVALID_ARGUMENT'],
  ])('with %s are refused', (_name, messages, code) => {
    expect(() => model.chat(messages as never)).toThrow(expect.objectContaining({ code }));
  });

  it('that a template refuses are an error with its own words', async () => {
    const template = '{{ raise_exception("Roles must alternate, said the template") }}';
    const chat = model.createChat({ template, ...brief });
    await expect(chat.send('Hi').result).rejects.toMatchObject({
      code: 'CHAT_TEMPLATE_FAILED',
      message: expect.stringContaining('Roles must alternate, said the template'),
    });
    await expect(chat.send('Hi', { template: 'chatml' }).result).resolves.toBeDefined();
  });

  it('take variables for the template', async () => {
    const template = '{{ greeting }} {{ messages[0].content }}';
    const result = await model.chat([user], {
      template,
      variables: { greeting: 'Hello'.repeat(9) },
      ...brief,
    }).result;
    expect(result.usage.promptTokens).toBeGreaterThan(9);
  });
});

function cyclic() {
  const input: { self?: unknown } = {};
  input.self = input;
  return { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'f', arguments: input }] };
}

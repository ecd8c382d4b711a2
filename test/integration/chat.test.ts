import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

let model: Model;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 1024, threads: 1 });
});
afterAll(async () => {
  await model.close();
});

const brief = { temperature: 0, maxTokens: 16 } as const;

describe('a chat', () => {
  it('keeps history and continues from the KV cache it has', async () => {
    const chat = model.createChat({ system: 'You are a helpful assistant.', ...brief });
    const first = await chat.send('Name a colour.').result;
    const second = await chat.send('And another one.').result;

    expect(chat.history).toEqual([
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'Name a colour.' },
      { role: 'assistant', content: first.text },
      { role: 'user', content: 'And another one.' },
      { role: 'assistant', content: second.text },
    ]);
    // Everything up to the end of the first answer was there.
    expect(second.usage.cachedTokens).toBeGreaterThanOrEqual(first.usage.promptTokens + 10);
    expect(second.usage.promptTokens).toBeGreaterThan(first.usage.promptTokens);
  });

  it('evaluates of a further turn only what that turn adds', async () => {
    const chat = model.createChat({ system: 'You are a helpful assistant.', temperature: 0, maxTokens: 120 });
    let before = (await chat.send('Say hello.').result).usage;
    for (const message of ['Name a colour, please.', 'And now a river that is long.']) {
      const { usage } = await chat.send(message).result;
      const turn = `<|im_end|>\n<|im_start|>user\n${message}<|im_end|>\n<|im_start|>assistant\n`;
      const added = await model.tokenize(turn, { addSpecial: false, parseSpecial: true });
      // Of an answer that was cut, the last token was written, but not evaluated.
      const cut = before.completionTokens === 120 ? 1 : 0;
      expect(usage.promptTokens - usage.cachedTokens).toBeLessThanOrEqual(added.length + cut);
      expect(usage.cachedTokens).toBeGreaterThan(before.promptTokens);
      before = usage;
    }
  });

  it('ends its answer where the model ends it, and shows no control tokens', async () => {
    const chat = model.createChat({ temperature: 0, maxTokens: 200 });
    const result = await chat.send('Say hello.').result;
    expect(result.finishReason).toBe('stop');
    expect(result.text).not.toMatch(/<\|im_/);
  });

  it('has its answer in the history when the loop ends', async () => {
    const chat = model.createChat(brief);
    let text = '';
    for await (const added of chat.send('Hi').textStream) text += added;
    expect(chat.history.at(-1)).toEqual({ role: 'assistant', content: text });
  });

  it('keeps what was said when it is stopped, and goes on', async () => {
    const chat = model.createChat({ temperature: 0, maxTokens: 300, ignoreEndOfSequence: true });
    const controller = new AbortController();
    const answer = chat.send('Tell me a long story.', { signal: controller.signal });
    for await (const part of answer) {
      expect(part).toEqual({ type: 'text', text: expect.any(String) });
      break;
    }
    await answer.result;
    expect(chat.history).toHaveLength(2);

    const aborting = chat.send('Go on.', { signal: controller.signal });
    aborting[Symbol.asyncIterator]()
      .next()
      .then(() => controller.abort());
    await expect(aborting.result).rejects.toMatchObject({ code: 'ABORTED' });
    expect(chat.history).toHaveLength(4);
    expect((await chat.send('Once more.', { maxTokens: 4 }).result).usage.completionTokens).toBe(4);
  });

  it('can be asked again right after its loop was left', async () => {
    const chat = model.createChat({ temperature: 0, maxTokens: 300, ignoreEndOfSequence: true });
    for await (const part of chat.send('Count to one hundred.')) {
      if (part.type === 'text') break;
    }
    const next = await chat.send('Thank you.', { maxTokens: 3 }).result;
    expect(next.usage.completionTokens).toBe(3);
    expect(chat.history).toHaveLength(4);
  });

  it('refuses a second message while it answers', async () => {
    const chat = model.createChat(brief);
    const answer = chat.send('Hi');
    expect(() => chat.send('Hello?')).toThrow(expect.objectContaining({ code: 'BUSY' }));
    await answer.result;
    expect(() => chat.send('Now')).not.toThrow();
  });

  it('forgets all but the system prompt when reset', async () => {
    const chat = model.createChat({ system: 'Be kind.', ...brief });
    await chat.send('Hi').result;
    chat.reset();
    expect(chat.history).toEqual([{ role: 'system', content: 'Be kind.' }]);
  });

  it('begins from a given history', async () => {
    const history = [
      { role: 'user', content: 'My name is Ada.' },
      { role: 'assistant', content: 'Hello Ada!' },
    ];
    const chat = model.createChat({ history, ...brief });
    const { usage } = await chat.send('What is my name?').result;
    expect(usage.promptTokens).toBeGreaterThan(20);
    expect(chat.history.slice(0, 2)).toEqual(history);
  });

  it('that outgrows the context says so and leaves the history as it was', async () => {
    const chat = model.createChat(brief);
    await expect(chat.send('word '.repeat(2000)).result).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
    expect(chat.history).toEqual([]);
    await expect(chat.send('Hi').result).resolves.toBeDefined();
  });
});

describe('chat templates', () => {
  it('render with the model’s own template', async () => {
    const { prompt, generationPrompt } = await model.applyChatTemplate([{ role: 'user', content: 'Hi' }]);
    expect(prompt).toContain('<|im_start|>user\nHi<|im_end|>');
    expect(prompt.endsWith('<|im_start|>assistant\n')).toBe(true);
    expect(generationPrompt).toBe('<|im_start|>assistant\n');
  });

  it('may be given, with variables', async () => {
    const { prompt } = await model.applyChatTemplate([{ role: 'user', content: 'Hi' }], {
      template: '{{ greeting }}: {% for m in messages %}{{ m.content }}{% endfor %}',
      variables: { greeting: 'Said' },
    });
    expect(prompt).toBe('Said: Hi');
  });

  it('with a syntax error tell what is wrong with them', async () => {
    await expect(model.applyChatTemplate([], { template: '{% for %}' })).rejects.toMatchObject({
      code: 'CHAT_TEMPLATE_FAILED',
      message: expect.stringMatching(/syntax error: .+/),
    });
  });

  // Each of these overflowed the stack of llama.cpp's template engine, or ran without end.
  it.each([
    ['parentheses', `{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`],
    ['brackets', `{{ ${'['.repeat(20_000)}${']'.repeat(20_000)} }}`],
    ['brackets behind a quote in a comment', `{# {{ ' #}{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`],
    ['blocks', '{%\n\nif true %}'.repeat(20_000) + '{% endif %}'.repeat(20_000)],
    ['set blocks', '{% set x %}'.repeat(20_000) + '{% endset %}'.repeat(20_000)],
    ['a chain of not', `{{ ${'not '.repeat(100_000)}1 }}`],
    ['a chain of minus', `{{ ${'-'.repeat(200_000)}1 }}`],
    ['a chain of plus', `{{ 1${'+1'.repeat(200_000)} }}`],
    ['a chain of conditions', `{{ ${'1 if 0 else '.repeat(80_000)}1 }}`],
    ['a chain of and', `{{ 1${' and 1'.repeat(100_000)} }}`],
    ['a chain of tildes', `{{ "a"${'~"b"'.repeat(100_000)} }}`],
    ['a chain of members', `{{ messages${'.a'.repeat(200_000)} }}`],
    ['a chain of filters', `{{ "a"${'|upper'.repeat(100_000)} }}`],
    ['a chain of calls', `{{ messages${'()'.repeat(200_000)} }}`],
    ['a chain of elif', `{% if 0 %}${'{% elif 0 %}'.repeat(40_000)}{% endif %}`],
    ['a macro that calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    [
      'two macros that call each other',
      '{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}',
    ],
    ['a loop over a billion numbers', '{% for i in range(1000000000) %}x{% endfor %}'],
    ['two megabytes', ' '.repeat(2 << 20)],
  ])('that would end the process are refused: %s', async (_name, template) => {
    await expect(
      model.applyChatTemplate([{ role: 'user', content: 'x' }], { template }),
    ).rejects.toMatchObject({ code: 'CHAT_TEMPLATE_FAILED' });
  });

  it('may hold macros that call themselves under a condition', async () => {
    const template =
      '{% macro count(n) %}{{ n }}{% if n > 0 %}{{ count(n - 1) }}{% endif %}{% endmacro %}{{ count(3) }}';
    const { prompt } = await model.applyChatTemplate([{ role: 'user', content: 'x' }], { template });
    expect(prompt).toBe('3210');
  });

  it.each([
    ['messages that are none', 'hello'],
    ['a message without a role', [{ content: 'x' }]],
    ['a message whose content is a number', [{ role: 'user', content: 1 }]],
    ['a null message', [null]],
  ])('refuse %s', async (_name, messages) => {
    await expect(model.applyChatTemplate(messages as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

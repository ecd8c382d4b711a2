import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type Model, type PromptUsage } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

describe('what is known of a prompt before it is answered', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(await testModelPath(), { contextSize: 2048, sequences: 2 });
  });
  afterAll(() => model.close());

  const messages = [
    { role: 'system', content: 'You answer in one word.' },
    { role: 'user', content: 'What is the capital of France?' },
  ];
  const tools = {
    weather: {
      description: 'The weather in a city.',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  } as const;

  it('tells once, before the first part, how many tokens are read and how many were cached', async () => {
    const heard: (PromptUsage | string)[] = [];
    const answer = model.chat(messages, {
      maxTokens: 3,
      temperature: 0,
      onStart: (usage) => heard.push(usage),
    });
    for await (const { type } of answer) heard.push(type);
    const { usage } = await answer.result;
    expect(heard[0]).toEqual({ promptTokens: usage.promptTokens, cachedTokens: usage.cachedTokens });
    expect(heard.slice(1).every((kind) => kind === 'text')).toBe(true);

    const again: PromptUsage[] = [];
    const second = await model.chat(messages, { maxTokens: 3, onStart: (told) => again.push(told) }).result;
    expect(again).toEqual([{ promptTokens: usage.promptTokens, cachedTokens: second.usage.cachedTokens }]);
    expect(second.usage.cachedTokens).toBeGreaterThan(0);
  });

  it('tells nothing of a prompt that is too long', async () => {
    let told = false;
    const prompt = new Int32Array(5000);
    const failing = model.generate(prompt, { onStart: () => (told = true) });
    await expect(failing.result).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
    expect(told).toBe(false);
  });

  it('fails with what the listener throws, and the model goes on', async () => {
    const onStart = () => {
      throw new Error('not today');
    };
    await expect(model.generate('Once', { maxTokens: 500, onStart }).result).rejects.toThrow('not today');
    const { usage } = await model.generate('Once', { maxTokens: 2 }).result;
    expect(usage.completionTokens).toBe(2);
  });

  it('refuses a listener that is no function', () => {
    expect(() => model.generate('Once', { onStart: 5 as never })).toThrow(/onStart/);
  });

  it('counts the tokens that a chat reads, template and tools included', async () => {
    const plain = await model.chat(messages, { maxTokens: 1 }).result;
    expect(await model.countTokens(messages)).toBe(plain.usage.promptTokens);
    const withTools = await model.chat(messages, { maxTokens: 1, tools }).result;
    expect(await model.countTokens(messages, { tools })).toBe(withTools.usage.promptTokens);
    expect(withTools.usage.promptTokens).toBeGreaterThan(plain.usage.promptTokens);
  });

  it('counts a beginning of the answer without an end mark, as it is continued', async () => {
    const begun = [...messages, { role: 'assistant', content: 'The capital' }];
    const { usage } = await model.chat(begun, { maxTokens: 1 }).result;
    expect(await model.countTokens(begun)).toBe(usage.promptTokens);
  });

  it('refuses to count what cannot be answered', async () => {
    await expect(model.countTokens([])).rejects.toMatchObject({ code: 'INVALID_MESSAGES' });
    await expect(model.countTokens(messages, { nonsense: 1 } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

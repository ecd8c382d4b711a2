import {
  type AIMessageChunk,
  HumanMessage,
  SystemMessage,
  ToolMessage,
  type UsageMetadata,
} from '@langchain/core/messages';
import { StringOutputParser } from '@langchain/core/output_parsers';
import { ChatPromptTemplate } from '@langchain/core/prompts';
import { tool } from '@langchain/core/tools';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadModel, type Model } from '../../lib/index.js';
import { ChatLlamaNative, LlamaNativeEmbeddings } from '../../lib/langchain/index.js';
import { testModelPath } from '../helpers/model.js';
import { scriptedModel } from '../helpers/scripted-model.js';
import { readVendored } from '../helpers/vendored.js';

let model: Model;
let template: string;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { threads: 1, contextSize: 2048, sequences: 2 });
  template = await readVendored('models', 'templates', 'Qwen-Qwen2.5-7B-Instruct.jinja');
});
afterAll(async () => {
  await model.close();
});

/** LangChain infers the type of this field to be undefined where optional properties are exact. */
function usageOf(message: AIMessageChunk | undefined): UsageMetadata | undefined {
  return message?.usage_metadata;
}

const weather = tool(async ({ city }) => `It is clear in ${city}.`, {
  name: 'weather',
  description: 'The weather in a city.',
  schema: z.object({ city: z.string().max(20) }),
});

describe('LangChain on a real model', () => {
  it('invokes the model, which answers as it does by itself', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is the capital of France?' },
    ];
    const own = await model.chat(messages, { temperature: 0, maxTokens: 12 }).result;
    const chat = new ChatLlamaNative({ model, temperature: 0, maxTokens: 12 });
    const answer = await chat.invoke([
      new SystemMessage('Be brief.'),
      new HumanMessage('What is the capital of France?'),
    ]);
    expect(answer.text).toBe(own.text);
    expect(answer.response_metadata).toMatchObject({
      finish_reason: own.finishReason,
      model_name: model.metadata.name,
    });
    const { promptTokens, completionTokens } = own.usage;
    expect(answer.usage_metadata).toMatchObject({
      input_tokens: promptTokens,
      output_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      output_token_details: { reasoning: 0 },
    });
    expect(usageOf(answer)?.input_token_details?.cache_read).toBeGreaterThan(0);
  });

  it('streams the same text in chains, and tells callbacks of each token', async () => {
    const chat = new ChatLlamaNative({ model, temperature: 0 });
    const chain = ChatPromptTemplate.fromTemplate('Name three {things}.')
      .pipe(chat.withConfig({ maxTokens: 16 }))
      .pipe(new StringOutputParser());
    const whole = await chain.invoke({ things: 'colours' });
    const pieces: string[] = [];
    const heard: string[] = [];
    const callbacks = [{ handleLLMNewToken: (token: string) => void heard.push(token) }];
    for await (const piece of await chain.stream({ things: 'colours' }, { callbacks })) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join('')).toBe(whole);
    expect(heard.join('')).toBe(whole);
  });

  it('takes options with the model and with the call, and stops at texts', async () => {
    const chat = new ChatLlamaNative({ model, temperature: 0, maxTokens: 3 });
    const short = await chat.invoke('Count: one, two, three.');
    expect(usageOf(short)?.output_tokens).toBe(3);
    expect(short.response_metadata.finish_reason).toBe('length');
    const long = await chat.invoke('Count: one, two, three.', { maxTokens: 20 });
    const stop = long.text.slice(4, 7);
    const stopped = await chat.invoke('Count: one, two, three.', { maxTokens: 20, stop: [stop] });
    expect(stopped.text).toBe(long.text.slice(0, long.text.indexOf(stop)));
    expect(stopped.response_metadata.stop_string).toBe(stop);
  });

  it('makes the model call a tool that is bound, and goes on with its result', async () => {
    const chat = new ChatLlamaNative({
      model,
      temperature: 0,
      maxTokens: 60,
      template,
      parallelToolCalls: false,
    });
    const question = new HumanMessage('How is the weather in Rome?');
    const asked = await chat.bindTools([weather], { tool_choice: 'weather' }).invoke([question]);
    const [call] = asked.tool_calls ?? [];
    expect(call).toMatchObject({ name: 'weather', args: { city: expect.any(String) } });
    if (call === undefined) return;
    const result = await weather.invoke(call);
    expect(result).toBeInstanceOf(ToolMessage);
    const answer = await chat.invoke([question, asked, result]);
    expect(answer.text).not.toBe('');

    let streamed: AIMessageChunk | undefined;
    const stream = await chat.bindTools([weather], { tool_choice: 'any' }).stream([question]);
    for await (const chunk of stream) streamed = streamed?.concat(chunk) ?? chunk;
    expect(streamed?.tool_calls).toMatchObject([{ name: 'weather', args: call.args }]);
    expect(usageOf(streamed)?.output_tokens).toBe(usageOf(asked)?.output_tokens);
  });

  it.each(['jsonSchema', 'functionCalling'] as const)('gives objects of a schema by %s', async (method) => {
    const chat = new ChatLlamaNative({ model, temperature: 0, maxTokens: 80, template });
    const schema = z.object({ city: z.string().max(20), share: z.number().max(1e12) });
    const object = await chat.withStructuredOutput(schema, { method }).invoke('A large city, as JSON.');
    expect(Object.keys(object)).toEqual(['city', 'share']);
    expect(object.share).toBeTypeOf('number');
  });

  it('gives objects of a JSON schema, with the message they come from', async () => {
    const chat = new ChatLlamaNative({ model, temperature: 0, maxTokens: 60 });
    const schema = {
      type: 'object',
      properties: { share: { type: 'number', maximum: 1e12 } },
      required: ['share'],
      additionalProperties: false,
    };
    const { raw, parsed } = await chat.withStructuredOutput(schema, { includeRaw: true }).invoke('A share.');
    expect(parsed.share).toBeTypeOf('number');
    expect(raw.response_metadata.dropped_schema_keywords).toEqual(['#/properties/share maximum']);
    expect(() => chat.withStructuredOutput(schema, { method: 'other' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });

  it('stops the generation when the signal fires, and when the loop is left', async () => {
    const chat = new ChatLlamaNative({ model, temperature: 0 });
    const signal = AbortSignal.timeout(200);
    await expect(chat.invoke('Tell me a very long story.', { signal })).rejects.toThrow();
    await expect.poll(async () => (await model.metrics()).running).toBe(0);
    for await (const _ of await chat.stream('Tell me a very long story.')) break;
    await expect.poll(async () => (await model.metrics()).running).toBe(0);
  });

  it('fails with the errors of the library', async () => {
    const chat = new ChatLlamaNative({ model });
    await expect(chat.invoke('word '.repeat(3000))).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
    await expect(chat.invoke('Hi', { temperature: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const image = { type: 'image_url', image_url: 'data:image/png;base64,AAAA' };
    await expect(chat.invoke([new HumanMessage({ content: [image] })])).rejects.toMatchObject({
      code: 'CONTENT_UNSUPPORTED',
    });
  });

  it('counts tokens as the model does', async () => {
    const chat = new ChatLlamaNative({ model });
    const tokens = await model.tokenize('A few words.', { addSpecial: false });
    expect(await chat.getNumTokens('A few words.')).toBe(tokens.length);
  });

  it('embeds documents and queries', async () => {
    const texts = ['How tall is it?', 'Its height is 330 metres.'];
    const embeddings = new LlamaNativeEmbeddings({ model });
    const expected = await model.embed(texts);
    const vectors = await embeddings.embedDocuments(texts);
    expect(vectors.map((vector) => Float32Array.from(vector))).toEqual(expected);
    expect(await embeddings.embedDocuments([])).toEqual([]);
    const raw = await new LlamaNativeEmbeddings({ model, normalize: false }).embedQuery(texts[0] ?? '');
    expect(Math.hypot(...raw)).toBeGreaterThan(1.1);
    expect(() => new LlamaNativeEmbeddings({ model, pooling: 'none' as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('LangChain on a model that writes what a script says', () => {
  it('keeps reasoning apart, in messages and in streams', async () => {
    const thinking = await readVendored('models', 'templates', 'Qwen-Qwen3-0.6B.jinja');
    const answer = '<think>\nIt is in Italy.\n</think>\n\nWarm.';
    const chat = new ChatLlamaNative({ model: scriptedModel(model, thinking, [answer, answer]) });
    const message = await chat.invoke('How is it?');
    expect(message.text).toBe('Warm.');
    expect(message.additional_kwargs.reasoning_content).toContain('Italy');
    expect(usageOf(message)?.output_token_details?.reasoning).toBeGreaterThan(2);
    let streamed: AIMessageChunk | undefined;
    for await (const chunk of await chat.stream('How is it?')) streamed = streamed?.concat(chunk) ?? chunk;
    expect(streamed?.text).toBe('Warm.');
    expect(streamed?.additional_kwargs.reasoning_content).toBe(message.additional_kwargs.reasoning_content);
  });

  it('takes several calls at once, and their results', async () => {
    const call = (city: string) =>
      `<tool_call>\n${JSON.stringify({ name: 'weather', arguments: { city } })}\n</tool_call>`;
    const scripted = scriptedModel(model, template, [`${call('Rome')}\n${call('Oslo')}`, 'Both are clear.']);
    const chat = new ChatLlamaNative({ model: scripted }).bindTools([weather]);
    let asked: AIMessageChunk | undefined;
    for await (const chunk of await chat.stream('Rome and Oslo?')) asked = asked?.concat(chunk) ?? chunk;
    expect(asked?.tool_calls?.map(({ args }) => args)).toEqual([{ city: 'Rome' }, { city: 'Oslo' }]);
    if (asked === undefined) return;
    const results = await Promise.all((asked.tool_calls ?? []).map((one) => weather.invoke(one)));
    const answer = await chat.invoke([new HumanMessage('Rome and Oslo?'), asked, ...results]);
    expect(answer.text).toBe('Both are clear.');
    expect(scripted.calls[1]?.request.messages.slice(2)).toMatchObject([
      { role: 'tool', name: 'weather', content: 'It is clear in Rome.' },
      { role: 'tool', name: 'weather', content: 'It is clear in Oslo.' },
    ]);
  });
});

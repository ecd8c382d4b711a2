import {
  embed,
  embedMany,
  generateObject,
  generateText,
  isStepCount,
  jsonSchema,
  Output,
  streamObject,
  streamText,
  tool,
} from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { embeddingModel, languageModel } from '../../lib/ai-sdk/index.js';
import { loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';
import { scriptedModel } from '../helpers/scripted-model.js';
import { readVendored } from '../helpers/vendored.js';

let model: Model;
/** The test model's own template has no tools. */
let template: string;

beforeAll(async () => {
  globalThis.AI_SDK_LOG_WARNINGS = false;
  model = await loadModel(await testModelPath(), { threads: 1, contextSize: 2048, sequences: 2 });
  template = await readVendored('models', 'templates', 'Qwen-Qwen2.5-7B-Instruct.jinja');
});
afterAll(async () => {
  await model.close();
});

const greedy = { temperature: 0, maxRetries: 0 } as const;
const city = z.object({ city: z.string().max(20), population: z.number().int() });

describe('the AI SDK on a real model', () => {
  it('generates the text that the model itself would', async () => {
    const prompt = 'What is the capital of France?';
    const own = await model.chat([{ role: 'user', content: prompt }], { temperature: 0, maxTokens: 12 })
      .result;
    const result = await generateText({
      model: languageModel(model),
      prompt,
      maxOutputTokens: 12,
      ...greedy,
    });
    expect(result.text).toBe(own.text);
    expect(result.finishReason).toBe(own.finishReason);
    expect(result.response.modelId).toBe(model.metadata.name);
    expect(result.usage).toMatchObject({
      inputTokens: own.usage.promptTokens,
      outputTokens: own.usage.completionTokens,
      outputTokenDetails: { textTokens: own.usage.completionTokens, reasoningTokens: 0 },
    });
    expect(result.usage.inputTokenDetails.cacheReadTokens).toBeGreaterThan(0);
    expect(result.providerMetadata).toMatchObject({
      llamaNative: { timings: { totalMs: expect.any(Number) } },
    });
    expect(result.warnings).toEqual([]);
  });

  it('streams that text in pieces', async () => {
    const prompt = 'Name three colours.';
    const whole = await generateText({ model: languageModel(model), prompt, maxOutputTokens: 16, ...greedy });
    const result = streamText({ model: languageModel(model), prompt, maxOutputTokens: 16, ...greedy });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join('')).toBe(whole.text);
    expect(await result.finishReason).toBe(whole.finishReason);
    expect((await result.usage).outputTokens).toBe(whole.usage.outputTokens);
  });

  it('ends at stop sequences and at the limit', async () => {
    const ask = { model: languageModel(model), prompt: 'Count: one, two, three.', ...greedy };
    const limited = await generateText({ ...ask, maxOutputTokens: 3 });
    expect(limited).toMatchObject({ finishReason: 'length', usage: { outputTokens: 3 } });
    const free = await generateText({ ...ask, maxOutputTokens: 20 });
    const stop = free.text.slice(4, 7);
    const stopped = await generateText({ ...ask, maxOutputTokens: 20, stopSequences: [stop] });
    expect(stopped.finishReason).toBe('stop');
    expect(stopped.text).toBe(free.text.slice(0, free.text.indexOf(stop)));
    expect(stopped.providerMetadata).toMatchObject({ llamaNative: { stopString: stop } });
  });

  it('generates objects that fit a schema of Zod', async () => {
    const result = await generateObject({
      model: languageModel(model),
      schema: city,
      prompt: 'The largest city of Japan.',
      ...greedy,
      maxOutputTokens: 80,
    });
    expect(Object.keys(result.object)).toEqual(['city', 'population']);
    expect(Number.isInteger(result.object.population)).toBe(true);
    expect(result.warnings).toEqual([]);
  });

  it('streams objects, and takes a plain JSON schema as output', async () => {
    const schema = jsonSchema<{ answer: string }>({
      type: 'object',
      properties: { answer: { enum: ['yes', 'no'] } },
      required: ['answer'],
      additionalProperties: false,
    });
    const streamed = streamObject({ model: languageModel(model), schema, prompt: 'Is ice cold?', ...greedy });
    let parts = 0;
    for await (const _ of streamed.partialObjectStream) parts++;
    expect(parts).toBeGreaterThan(0);
    expect((await streamed.object).answer).toMatch(/^(yes|no)$/);
    const { output } = await generateText({
      model: languageModel(model),
      output: Output.object({ schema }),
      prompt: 'Is ice cold?',
      ...greedy,
    });
    expect(output).toEqual(await streamed.object);
  });

  it('takes a schema that no grammar can hold in full, and says so', async () => {
    const { object, warnings } = await generateObject({
      model: languageModel(model),
      schema: z
        .object({ share: z.number().max(1e9), mail: z.email().max(12).optional() })
        .partial({ mail: true }),
      prompt: 'A share.',
      ...greedy,
      maxOutputTokens: 60,
    });
    expect(typeof object.share).toBe('number');
    // The length of the address beside its pattern is a part of the grammar.
    expect(warnings).toEqual([
      expect.objectContaining({ details: expect.stringContaining('maximum at #/properties/share') }),
    ]);
  });

  it('makes the model call a tool, runs it, and goes on with its result', async () => {
    const inputs: string[] = [];
    const weather = tool({
      description: 'The weather in a city.',
      inputSchema: z.object({ city: z.string().max(20) }),
      execute: ({ city: name }) => {
        inputs.push(name);
        return { sky: 'clear' };
      },
    });
    const result = await generateText({
      model: languageModel(model),
      tools: { weather },
      toolChoice: { type: 'tool', toolName: 'weather' },
      prepareStep: ({ stepNumber }) => (stepNumber === 0 ? {} : { toolChoice: 'none' }),
      stopWhen: isStepCount(2),
      prompt: 'How is the weather in Rome?',
      providerOptions: { llamaNative: { template, parallelToolCalls: false } },
      ...greedy,
      maxOutputTokens: 60,
    });
    expect(inputs).toHaveLength(1);
    const [first, second] = result.steps;
    expect(first?.finishReason).toBe('tool-calls');
    expect(first?.toolCalls).toMatchObject([{ toolName: 'weather', input: { city: inputs[0] } }]);
    expect(first?.toolResults).toMatchObject([{ output: { sky: 'clear' } }]);
    expect(second?.text).not.toBe('');
    expect(second?.toolCalls).toEqual([]);
  });

  it('stops the generation when its signal fires', async () => {
    const controller = new AbortController();
    const result = streamText({
      model: languageModel(model),
      prompt: 'Tell me a very long story.',
      abortSignal: controller.signal,
      ...greedy,
    });
    const types: string[] = [];
    for await (const part of result.stream) {
      types.push(part.type);
      if (part.type === 'text-delta') controller.abort();
    }
    expect(types).toContain('abort');
    expect(types).not.toContain('finish');
    await expect.poll(async () => (await model.metrics()).running).toBe(0);
    const once = generateText({
      model: languageModel(model),
      prompt: 'Tell me a very long story.',
      abortSignal: AbortSignal.timeout(200),
      ...greedy,
    });
    await expect(once).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('fails with the errors of the library', async () => {
    const ask = { model: languageModel(model), prompt: 'Hi', ...greedy };
    await expect(generateText({ ...ask, seed: -5 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const long = generateText({ ...ask, prompt: 'word '.repeat(3000) });
    await expect(long).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
    const errors: unknown[] = [];
    const streamed = streamText({
      ...ask,
      prompt: 'word '.repeat(3000),
      onError: ({ error }) => {
        errors.push(error);
      },
    });
    await streamed.consumeStream({ onError: () => {} });
    expect(errors).toMatchObject([{ code: 'PROMPT_TOO_LONG' }]);
  });

  it('embeds one text and many', async () => {
    const texts = ['How tall is it?', 'Its height is 330 metres.'];
    const expected = await model.embed(texts);
    const many = await embedMany({ model: embeddingModel(model), values: texts });
    expect(many.embeddings.map((vector) => Float32Array.from(vector))).toEqual(expected);
    const tokens = await model.tokenize(texts);
    expect(many.usage.tokens).toBe(tokens.flatMap((list) => [...list]).length);
    const one = await embed({ model: embeddingModel(model), value: texts[0] ?? '' });
    expect(one.embedding).toHaveLength(model.metadata.embeddingLength);
    const providerOptions = { llamaNative: { normalize: false } };
    const raw = await embed({ model: embeddingModel(model), value: texts[0] ?? '', providerOptions });
    expect(Math.hypot(...raw.embedding)).toBeGreaterThan(1.1);
  });
});

describe('the AI SDK on a model that writes what a script says', () => {
  const weather = tool({
    description: 'The weather in a city.',
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city: name }) => ({ city: name, sky: 'clear' }),
  });
  const call = (name: string, input: unknown) =>
    `<tool_call>\n${JSON.stringify({ name, arguments: input })}\n</tool_call>`;

  it('runs its loop of tools over streams, with the parts in their order', async () => {
    const scripted = scriptedModel(model, template, [
      `Let me see.\n${call('weather', { city: 'Rome' })}`,
      'It is clear.',
    ]);
    const result = streamText({
      model: languageModel(scripted),
      tools: { weather },
      stopWhen: isStepCount(3),
      prompt: 'How is the weather in Rome?',
    });
    const types: string[] = [];
    let input = '';
    for await (const part of result.stream) {
      if (types.at(-1) !== part.type) types.push(part.type);
      if (part.type === 'tool-input-delta') input += part.delta;
    }
    expect(types).toEqual([
      'start',
      ...['start-step', 'text-start', 'text-delta', 'text-end'],
      ...[
        'tool-input-start',
        'tool-input-delta',
        'tool-input-end',
        'tool-call',
        'tool-result',
        'finish-step',
      ],
      ...['start-step', 'text-start', 'text-delta', 'text-end', 'finish-step'],
      'finish',
    ]);
    expect(JSON.parse(input)).toEqual({ city: 'Rome' });
    expect(await result.text).toBe('It is clear.');
    const [, second] = scripted.calls;
    expect(second?.request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
    expect(second?.request.messages[2]?.content).toBe('{"city":"Rome","sky":"clear"}');
  });

  it('keeps reasoning apart from text, and counts it', async () => {
    const thinking = await readVendored('models', 'templates', 'Qwen-Qwen3-0.6B.jinja');
    const answer = '<think>\nRome lies in Italy, so it may be warm.\n</think>\n\nWarm.';
    const whole = await generateText({
      model: languageModel(scriptedModel(model, thinking, [answer])),
      prompt: 'How is it?',
    });
    expect(whole.text).toBe('Warm.');
    expect(whole.reasoningText).toContain('Italy');
    const reasoningTokens = (await model.tokenize(whole.reasoningText ?? '', { addSpecial: false })).length;
    expect(whole.usage.outputTokenDetails.reasoningTokens).toBe(reasoningTokens);

    const scripted = scriptedModel(model, thinking, [answer, 'Warm.']);
    const streamed = streamText({ model: languageModel(scripted), prompt: 'How is it?' });
    const types: string[] = [];
    for await (const part of streamed.stream) if (types.at(-1) !== part.type) types.push(part.type);
    expect(types.slice(2, 8)).toEqual([
      ...['reasoning-start', 'reasoning-delta', 'reasoning-end'],
      ...['text-start', 'text-delta', 'text-end'],
    ]);
    await generateText({ model: languageModel(scripted), prompt: 'How is it?', reasoning: 'none' });
    expect(scripted.calls[1]?.request.enableThinking).toBe(false);
  });

  it('stops when the stream is cancelled while nothing comes', async () => {
    const scripted = scriptedModel(model, template, [{ text: 'Once upon a time', hang: true }]);
    const { stream } = await languageModel(scripted).doStream({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'A story.' }] }],
    });
    const reader = stream.getReader();
    for (let part = await reader.read(); part.value?.type !== 'text-delta'; ) part = await reader.read();
    await reader.cancel();
    expect(scripted.calls[0]?.options.signal?.aborted).toBe(true);
  });
});

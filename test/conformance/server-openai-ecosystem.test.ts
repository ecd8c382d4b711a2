import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { embed, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startTestServer, type TestServer } from '../helpers/test-server.js';

const question = 'Which city is the capital of Italy?';
const place = z.object({ city: z.enum(['Rome', 'Oslo']) });

let started: TestServer;
beforeAll(async () => {
  started = await startTestServer({ load: { threads: 1 } });
});
afterAll(() => started.server.close());

describe('the AI SDK with its provider for compatible servers', () => {
  const provider = () =>
    createOpenAICompatible({
      name: 'local',
      baseURL: `${started.url}/v1`,
      includeUsage: true,
      supportsStructuredOutputs: true,
    });

  it('gets a text, and streams the same one', async () => {
    const call = { model: provider()('smol'), prompt: question, temperature: 0, maxOutputTokens: 6 };
    const { text, finishReason, usage } = await generateText(call);
    expect(finishReason).toBe('length');
    expect(usage.outputTokens).toBe(6);
    const streamed = streamText(call);
    const pieces: string[] = [];
    for await (const piece of streamed.textStream) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join('')).toBe(text);
    expect(await streamed.usage).toMatchObject({ inputTokens: usage.inputTokens, outputTokens: 6 });
  });

  it('calls a tool and answers with its result', async () => {
    const calls: string[] = [];
    const { steps, text } = await generateText({
      model: provider()('smol'),
      prompt: question,
      temperature: 0,
      maxOutputTokens: 120,
      tools: {
        weather: tool({
          description: 'The weather in a city.',
          inputSchema: place,
          execute: ({ city }) => {
            calls.push(city);
            return 'Sunny';
          },
        }),
      },
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'none' }),
      providerOptions: { local: { parallel_tool_calls: false } },
      stopWhen: stepCountIs(2),
    });
    expect(steps).toHaveLength(2);
    expect(calls).toHaveLength(1);
    expect(['Rome', 'Oslo']).toContain(calls[0]);
    expect(text).not.toBe('');
  });

  it('gets an object that fits a schema', async () => {
    const { output } = await generateText({
      model: provider()('smol'),
      prompt: question,
      temperature: 0,
      output: Output.object({ schema: place }),
    });
    expect(['Rome', 'Oslo']).toContain(output.city);
  });

  it('gets a vector', async () => {
    const { embedding, usage } = await embed({ model: provider().embeddingModel('smol'), value: question });
    expect(embedding).toHaveLength(576);
    expect(usage.tokens).toBeGreaterThan(4);
  });

  it('meets an unknown model as the error of its call', async () => {
    const call = generateText({ model: provider()('nothing'), prompt: question, maxRetries: 0 });
    await expect(call).rejects.toMatchObject({ statusCode: 404, message: expect.stringContaining('smol') });
  });
});

describe('LangChain with its model for OpenAI', () => {
  const chat = (over: object = {}) =>
    new ChatOpenAI({
      model: 'smol',
      apiKey: 'unused',
      temperature: 0,
      maxTokens: 6,
      maxRetries: 0,
      configuration: { baseURL: `${started.url}/v1` },
      ...over,
    });
  const weather = langchainTool(async ({ city }: { city: string }) => `Sunny in ${city}`, {
    name: 'weather',
    description: 'The weather in a city.',
    schema: place,
  });

  it('invokes, and streams the same answer', async () => {
    const whole = await chat().invoke(question);
    expect(whole.usage_metadata).toMatchObject({ output_tokens: 6 });
    let streamed = '';
    for await (const chunk of await chat().stream(question)) streamed += chunk.text;
    expect(streamed).toBe(whole.text);
  });

  it('binds a tool, is asked to call it, and goes on with its result', async () => {
    const bound = chat({ maxTokens: 60 }).bindTools([weather], {
      tool_choice: 'weather',
      parallel_tool_calls: false,
    });
    const asked = await bound.invoke(question);
    const [call] = asked.tool_calls ?? [];
    expect(call?.name).toBe('weather');
    expect(['Rome', 'Oslo']).toContain(call?.args.city);
    const next = await chat().invoke([
      new HumanMessage(question),
      new AIMessage({ content: asked.content, tool_calls: asked.tool_calls ?? [] }),
      new ToolMessage({ content: 'Sunny', tool_call_id: call?.id ?? '' }),
    ]);
    expect(next.text).not.toBe('');
  });

  it.each(['jsonSchema', 'functionCalling'] as const)('gets an object by %s', async (method) => {
    const options = { maxTokens: 120, modelKwargs: { parallel_tool_calls: false } };
    const structured = chat(options).withStructuredOutput(place, { method });
    const answer = await structured.invoke(question);
    expect(['Rome', 'Oslo']).toContain(answer.city);
  });

  it('gets vectors', async () => {
    const embeddings = new OpenAIEmbeddings({
      model: 'smol',
      apiKey: 'unused',
      configuration: { baseURL: `${started.url}/v1` },
    });
    const [first, second] = await embeddings.embedDocuments([question, 'It is Rome.']);
    expect(first).toHaveLength(576);
    expect(second).not.toEqual(first);
  });
});

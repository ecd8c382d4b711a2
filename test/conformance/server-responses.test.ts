import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startTestServer, type TestServer } from '../helpers/test-server.js';

const weather: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather in a city.',
  strict: true,
  parameters: {
    type: 'object',
    properties: {
      city: { type: 'string', maxLength: 20 },
      unit: { type: 'string', enum: ['celsius', 'fahrenheit'] },
    },
    required: ['city', 'unit'],
    additionalProperties: false,
  },
};

describe("OpenAI's own client and responses", () => {
  let started: TestServer;
  let client: OpenAI;
  beforeAll(async () => {
    started = await startTestServer();
    client = new OpenAI({ baseURL: `${started.url}/v1`, apiKey: 'unused-key', maxRetries: 0 });
  });
  afterAll(() => started.server.close());

  const ask = { model: 'smol', temperature: 0, input: 'Say hello.', max_output_tokens: 60 };

  it('gets an answer with its usage', async () => {
    const response = await client.responses.create({ ...ask, metadata: { topic: 'greeting' } });
    expect(response).toMatchObject({
      object: 'response',
      status: 'completed',
      model: 'smol',
      error: null,
      incomplete_details: null,
      metadata: { topic: 'greeting' },
      temperature: 0,
      max_output_tokens: 60,
      tools: [],
      tool_choice: 'auto',
    });
    expect(response.id).toMatch(/^resp_[0-9a-f]{32}$/);
    expect(response.output_text).toContain('Hello');
    expect(response.output).toMatchObject([{ type: 'message', role: 'assistant', status: 'completed' }]);
    const { usage } = response;
    expect(usage?.total_tokens).toBe((usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0));
    expect(usage?.output_tokens).toBeGreaterThan(3);
  });

  it('finds in the usage how much of the input was cached', async () => {
    await client.responses.create({ ...ask, max_output_tokens: 1 });
    const { usage } = await client.responses.create({ ...ask, max_output_tokens: 1 });
    expect(usage?.input_tokens_details.cached_tokens).toBeGreaterThan(10);
  });

  it('streams the same answer, whose events have rising numbers', async () => {
    const whole = await client.responses.create(ask);
    const numbers: number[] = [];
    const types: string[] = [];
    const stream = client.responses.stream(ask);
    for await (const event of stream) {
      numbers.push(event.sequence_number);
      types.push(event.type);
    }
    const response = await stream.finalResponse();
    expect(response.output_text).toBe(whole.output_text);
    expect(response.usage?.output_tokens).toBe(whole.usage?.output_tokens);
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect(types.slice(0, 4)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
    ]);
    expect(types.slice(-4)).toEqual([
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(new Set(types.slice(4, -4))).toEqual(new Set(['response.output_text.delta']));
  });

  it('is told that an answer was cut, whole or as a stream', async () => {
    const cut = { ...ask, max_output_tokens: 2 };
    const expected = {
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'incomplete' }],
      usage: { output_tokens: 2 },
    };
    expect(await client.responses.create(cut)).toMatchObject(expected);
    expect(await client.responses.stream(cut).finalResponse()).toMatchObject(expected);
  });

  it('goes on from an earlier response', async () => {
    const first = await client.responses.create({ ...ask, instructions: 'You are kind.' });
    const second = await client.responses.create({
      ...ask,
      input: 'And goodbye.',
      previous_response_id: first.id,
    });
    expect(second.previous_response_id).toBe(first.id);
    const by = (list: OpenAI.Responses.ResponseInput) =>
      client.responses.inputTokens.count({ model: 'smol', input: list });
    const spelled = await by([
      { role: 'user', content: 'Say hello.' },
      { role: 'assistant', content: first.output_text },
      { role: 'user', content: 'And goodbye.' },
    ]);
    // What was said goes on, the instructions do not.
    expect(second.usage?.input_tokens).toBe(spelled.input_tokens);
  });

  it('reads a stored response, lists what it answers, and deletes it', async () => {
    const made = await client.responses.stream({ ...ask, store: true }).finalResponse();
    const { id } = made;
    const read = await client.responses.retrieve(id);
    expect(read).toMatchObject({ id, status: 'completed', output_text: made.output_text });
    const items = await client.responses.inputItems.list(id);
    expect(items.data).toMatchObject([
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Say hello.' }] },
    ]);
    await client.responses.delete(id);
    await expect(client.responses.retrieve(id)).rejects.toThrow(OpenAI.NotFoundError);
    await expect(client.responses.create({ ...ask, previous_response_id: id })).rejects.toMatchObject({
      status: 404,
      code: 'previous_response_not_found',
      param: 'previous_response_id',
    });
  });

  it('finds nothing of a response that was not to be stored', async () => {
    const { id } = await client.responses.create({ ...ask, store: false, max_output_tokens: 2 });
    await expect(client.responses.retrieve(id)).rejects.toThrow(OpenAI.NotFoundError);
  });

  it('is given a forced call, hands its output back and gets an answer', async () => {
    const first = await client.responses.create({
      ...ask,
      input: 'What is the weather in Paris?',
      max_output_tokens: 200,
      tools: [weather],
      tool_choice: { type: 'function', name: 'get_weather' },
      parallel_tool_calls: false,
    });
    const calls = first.output.filter((item) => item.type === 'function_call');
    expect(calls).toHaveLength(1);
    expect(first.status).toBe('completed');
    expect(JSON.parse(calls[0]?.arguments ?? '')).toMatchObject({
      city: expect.any(String),
      unit: expect.any(String),
    });
    const callId = calls[0]?.call_id ?? '';
    const output = { type: 'function_call_output' as const, call_id: callId, output: '19 degrees, sunny' };
    const second = await client.responses.create({
      ...ask,
      input: [output],
      previous_response_id: first.id,
      tools: [weather],
      tool_choice: 'none',
    });
    expect(second.output.every(({ type }) => type === 'message')).toBe(true);
    const spelled = await client.responses.create({
      ...ask,
      input: [
        { role: 'user', content: 'What is the weather in Paris?' },
        ...first.output,
        output,
      ] as OpenAI.Responses.ResponseInput,
      tools: [weather],
      tool_choice: 'none',
    });
    expect(spelled.output_text).toBe(second.output_text);
  });

  it('is given the arguments of a call piece by piece, and parsed', async () => {
    const stream = client.responses.stream({
      ...ask,
      max_output_tokens: 200,
      tools: [weather],
      tool_choice: 'required',
      parallel_tool_calls: false,
    });
    let written = '';
    let pieces = 0;
    stream.on('response.function_call_arguments.delta', ({ delta }) => {
      written += delta;
      pieces += 1;
    });
    const response = await stream.finalResponse();
    const [call] = response.output.filter((item) => item.type === 'function_call');
    expect(call?.arguments).toBe(written);
    expect(call?.parsed_arguments).toMatchObject({ city: expect.any(String) });
    expect(pieces).toBeGreaterThan(1);
  });

  it('gets JSON that fits a schema, parsed', async () => {
    const Capital = z.object({ capital: z.string().max(20), large: z.boolean() });
    const response = await client.responses.parse({
      ...ask,
      input: 'What is the capital of France?',
      text: { format: zodTextFormat(Capital, 'capital') },
    });
    expect(response.output_parsed).toEqual({ capital: expect.any(String), large: expect.any(Boolean) });
  });

  it('stops the work when it leaves a stream', async () => {
    const stream = await client.responses.create({
      ...ask,
      input: 'Write a long story about a dog.',
      max_output_tokens: 1500,
      stream: true,
    });
    for await (const { type } of stream) if (type === 'response.output_text.delta') break;
    await expect.poll(() => started.server.models.list()[0]?.inFlight, { timeout: 10_000 }).toBe(0);
  });

  it('throws its error for an unknown model, an image, and input over the context', async () => {
    await expect(client.responses.create({ ...ask, model: 'none' })).rejects.toThrow(OpenAI.NotFoundError);
    const image = {
      type: 'input_image' as const,
      image_url: 'https://example.org/a.png',
      detail: 'auto' as const,
    };
    await expect(
      client.responses.create({ ...ask, input: [{ role: 'user', content: [image] }] }),
    ).rejects.toMatchObject({ status: 400, param: 'input[0].content[0]' });
    const long = { ...ask, input: 'word '.repeat(3000) };
    await expect(client.responses.create(long)).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      param: 'input',
    });
    await expect(client.responses.stream(long).finalResponse()).rejects.toMatchObject({ status: 400 });
  });
});

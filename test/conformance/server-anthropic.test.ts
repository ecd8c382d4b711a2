import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../helpers/test-server.js';

const weather: Anthropic.Tool = {
  name: 'get_weather',
  description: 'The weather in a city.',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string', maxLength: 20 }, unit: { enum: ['celsius', 'fahrenheit'] } },
    required: ['city', 'unit'],
  },
};

const question = [{ role: 'user', content: 'Say hello.' }] as const;

describe("Anthropic's own client", () => {
  let started: TestServer;
  let client: Anthropic;
  beforeAll(async () => {
    started = await startTestServer();
    client = new Anthropic({ baseURL: started.url, apiKey: 'unused-key', maxRetries: 0 });
  });
  afterAll(() => started.server.close());

  const ask = { model: 'smol', max_tokens: 60, temperature: 0, messages: [...question] };

  it('gets an answer with its usage', async () => {
    const { data, request_id: requestId } = await client.messages.create(ask).withResponse();
    expect(data).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'smol',
      stop_reason: 'end_turn',
      stop_sequence: null,
      content: [{ type: 'text', text: expect.stringContaining('Hello') }],
    });
    expect(data.id).toMatch(/^msg_[0-9a-f]{24}$/);
    expect(data.usage.input_tokens + (data.usage.cache_read_input_tokens ?? 0)).toBeGreaterThan(10);
    expect(data.usage.output_tokens).toBeGreaterThan(3);
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('finds in the usage how much of the prompt was cached', async () => {
    const first = await client.messages.create({ ...ask, max_tokens: 1 });
    const { usage } = await client.messages.create({ ...ask, max_tokens: 1 });
    expect(usage.cache_read_input_tokens).toBeGreaterThan(10);
    const all = (told: Anthropic.Usage) => told.input_tokens + (told.cache_read_input_tokens ?? 0);
    expect(all(usage)).toBe(all(first.usage));
  });

  it('streams the same answer in the order of events that the API promises', async () => {
    const whole = await client.messages.create(ask);
    const stream = client.messages.stream(ask);
    const types: string[] = [];
    stream.on('streamEvent', ({ type }) => types.push(type));
    let text = '';
    stream.on('text', (delta) => {
      text += delta;
    });
    const message = await stream.finalMessage();
    expect(message.content).toMatchObject(whole.content);
    expect(message.stop_reason).toBe(whole.stop_reason);
    expect(message.usage.output_tokens).toBe(whole.usage.output_tokens);
    expect(text).toBe(await stream.finalText());
    expect(types.slice(0, 2)).toEqual(['message_start', 'content_block_start']);
    expect(types.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop']);
    expect(types.slice(2, -3).every((type) => type === 'content_block_delta')).toBe(true);
  });

  it('knows from the first event how long the prompt is', async () => {
    const counted = await client.messages.countTokens({ model: 'smol', messages: [...question] });
    const events = await client.messages.create({ ...ask, stream: true });
    for await (const event of events) {
      if (event.type !== 'message_start') continue;
      const { input_tokens: read, cache_read_input_tokens: cached } = event.message.usage;
      expect(read + (cached ?? 0)).toBe(counted.input_tokens);
    }
  });

  it('ends an answer at max_tokens, in the middle', async () => {
    const message = await client.messages.create({ ...ask, max_tokens: 2 });
    expect(message).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 2 } });
  });

  it('ends an answer at a stop sequence and names it', async () => {
    const message = await client.messages.create({ ...ask, stop_sequences: ['nowhere', 'help'] });
    expect(message).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'help' });
    const streamed = await client.messages.stream({ ...ask, stop_sequences: ['help'] }).finalMessage();
    expect(streamed).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'help' });
    expect(JSON.stringify(streamed.content)).not.toContain('help');
  });

  it('goes on from the beginning of an answer', async () => {
    const messages = [
      { role: 'user' as const, content: 'What is the capital of France?' },
      { role: 'assistant' as const, content: 'The capital of France is' },
    ];
    const { content } = await client.messages.create({ ...ask, messages, max_tokens: 4 });
    expect(content).toMatchObject([{ type: 'text', text: expect.stringMatching(/^\s?Paris/) }]);
  });

  it('obeys a system prompt in blocks', async () => {
    const plain = await client.messages.countTokens({ model: 'smol', messages: [...question] });
    const system = [
      { type: 'text' as const, text: 'You are a pirate.', cache_control: { type: 'ephemeral' as const } },
    ];
    const told = await client.messages.countTokens({ model: 'smol', messages: [...question], system });
    expect(told.input_tokens).not.toBe(plain.input_tokens);
  });

  it('is given a forced call, hands its result back and gets an answer', async () => {
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'What is the weather in Paris?' }];
    const first = await client.messages.create({
      ...ask,
      messages,
      max_tokens: 200,
      tools: [weather],
      tool_choice: { type: 'tool', name: 'get_weather', disable_parallel_tool_use: true },
    });
    expect(first.stop_reason).toBe('tool_use');
    const [call, ...others] = first.content.filter((block) => block.type === 'tool_use');
    expect(others).toEqual([]);
    expect(call).toMatchObject({
      name: 'get_weather',
      input: { city: expect.any(String), unit: expect.any(String) },
    });
    messages.push({ role: 'assistant', content: first.content });
    messages.push({
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: call?.id ?? '', content: '19 degrees and sunny' }],
    });
    const second = await client.messages.create({
      ...ask,
      messages,
      tools: [weather],
      tool_choice: { type: 'none' },
    });
    expect(second.stop_reason).not.toBe('tool_use');
    expect(second.content.every(({ type }) => type === 'text')).toBe(true);
  });

  it('is given the input of a call piece by piece', async () => {
    const stream = client.messages.stream({
      ...ask,
      max_tokens: 200,
      tools: [weather],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
    });
    const pieces: string[] = [];
    stream.on('inputJson', (piece) => pieces.push(piece));
    const message = await stream.finalMessage();
    expect(message.stop_reason).toBe('tool_use');
    const calls = message.content.filter((block) => block.type === 'tool_use');
    expect(calls.length).toBeGreaterThan(0);
    expect(calls[0]?.input).toMatchObject({ city: expect.any(String), unit: expect.any(String) });
    expect(pieces.length).toBeGreaterThan(1);
  });

  it('counts tools, too', async () => {
    const plain = await client.messages.countTokens({ model: 'smol', messages: [...question] });
    const more = await client.messages.countTokens({
      model: 'smol',
      messages: [...question],
      tools: [weather],
    });
    expect(more.input_tokens).toBeGreaterThan(plain.input_tokens + 20);
  });

  it('gets JSON that fits a schema, parsed', async () => {
    const message = await client.messages.parse({
      ...ask,
      max_tokens: 60,
      output_config: {
        format: {
          type: 'json_schema',
          schema: {
            type: 'object',
            properties: { capital: { type: 'string', maxLength: 20 } },
            required: ['capital'],
            additionalProperties: false,
          },
        },
      },
    });
    expect(message.parsed_output).toEqual({ capital: expect.any(String) });
  });

  it('stops the work when it aborts', async () => {
    const stream = client.messages.stream({
      ...ask,
      max_tokens: 1500,
      messages: [{ role: 'user', content: 'Write a long story about a dog.' }],
    });
    stream.on('text', () => stream.abort());
    await expect(stream.done()).rejects.toThrow(Anthropic.APIUserAbortError);
    await expect.poll(() => started.server.models.list()[0]?.inFlight, { timeout: 10_000 }).toBe(0);
    expect((await client.messages.create({ ...ask, max_tokens: 2 })).usage.output_tokens).toBe(2);
  });

  it('throws its error for an unknown model', async () => {
    const error = await client.messages.create({ ...ask, model: 'none' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(error).toMatchObject({
      status: 404,
      type: 'not_found_error',
      error: { type: 'error', error: { message: expect.stringContaining('smol') } },
    });
    expect((error as InstanceType<typeof Anthropic.APIError>).requestID).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('throws its error for an image', async () => {
    const image = {
      type: 'image' as const,
      source: { type: 'url' as const, url: 'https://example.org/a.png' },
    };
    const asked = client.messages.create({ ...ask, messages: [{ role: 'user', content: [image] }] });
    await expect(asked).rejects.toThrow(Anthropic.BadRequestError);
    await expect(asked).rejects.toMatchObject({ type: 'invalid_request_error' });
  });

  it('throws its error, with a status, for a prompt over the context, streamed or not', async () => {
    const long = { ...ask, messages: [{ role: 'user' as const, content: 'word '.repeat(3000) }] };
    await expect(client.messages.create(long)).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(/2048.*30\d\d/),
    });
    await expect(client.messages.stream(long).finalMessage()).rejects.toMatchObject({ status: 400 });
  });
});

describe("Anthropic's own client and a server with keys", () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer({ apiKeys: ['the-right-key'], bodyLimitBytes: 10_000 });
  });
  afterAll(() => started.server.close());

  it('throws its error for a body over the limit', async () => {
    const client = new Anthropic({ baseURL: started.url, apiKey: 'the-right-key', maxRetries: 0 });
    const messages = [{ role: 'user' as const, content: 'x'.repeat(20_000) }];
    const asked = client.messages.create({ model: 'smol', max_tokens: 1, messages });
    await expect(asked).rejects.toMatchObject({ status: 413, type: 'request_too_large' });
  });
});

import OpenAI, { BadRequestError, NotFoundError } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startTestServer, type TestServer } from '../helpers/test-server.js';

const messages = [{ role: 'user' as const, content: 'Which city is the capital of Italy?' }];
const model = 'smol';
const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', enum: ['Rome', 'Oslo'] } },
      required: ['city'],
    },
  },
};

/** Each digit is about as probable as any other, so that the seed decides and not how batches round. */
const anyDigits = { grammar: 'root ::= [0-9]{8}', temperature: 100, top_k: 0, top_p: 1, min_p: 0 };

/** The largest difference between two vectors; those of one text differ in the last bits with their batch. */
const distance = (first: readonly number[] = [], second: readonly number[] = []): number =>
  Math.max(...first.map((value, index) => Math.abs(value - (second[index] ?? Number.NaN))));

describe("OpenAI's own package for JavaScript", () => {
  let started: TestServer;
  let client: OpenAI;
  beforeAll(async () => {
    started = await startTestServer({ load: { threads: 1 } });
    client = new OpenAI({ baseURL: `${started.url}/v1`, apiKey: 'unused', maxRetries: 0 });
  });
  afterAll(() => started.server.close());

  /** Tokens as the served model sees them. */
  const tokensOf = async (text: string, addSpecial = true): Promise<number[]> => {
    const served = started.server.models.find(model).model;
    if (served === undefined) throw new Error('the model is not loaded');
    return [...(await served.tokenize(text, { addSpecial }))];
  };

  it('lists and retrieves models', async () => {
    const models = [];
    for await (const one of client.models.list()) models.push(one);
    expect(models).toEqual([expect.objectContaining({ id: model, object: 'model' })]);
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, owned_by: 'llama-native' });
    await expect(client.models.retrieve('nobody/nothing')).rejects.toBeInstanceOf(NotFoundError);
  });

  it('gets an answer, and the same one as a stream', async () => {
    const request = { model, messages, temperature: 0, max_tokens: 8 };
    const whole = await client.chat.completions.create(request);
    expect(whole.choices[0]?.message.role).toBe('assistant');
    expect(whole.choices[0]?.finish_reason).toBe('length');
    expect(whole.usage?.completion_tokens).toBe(8);
    expect(whole._request_id).toMatch(/^[0-9a-f-]{36}$/);

    const stream = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
    const pieces: string[] = [];
    stream.on('content', (piece) => pieces.push(piece));
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join('')).toBe(whole.choices[0]?.message.content);
    expect(final.usage?.prompt_tokens).toBe(whole.usage?.prompt_tokens);
    expect(final.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(0);
  });

  it('gets log-probabilities, whole and streamed, that agree', async () => {
    const request = { model, messages, temperature: 0, max_tokens: 3, logprobs: true, top_logprobs: 2 };
    const whole = await client.chat.completions.create(request);
    const content = whole.choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(3);
    expect(content[0]?.top_logprobs).toHaveLength(2);
    expect(content[0]?.logprob).toBe(content[0]?.top_logprobs[0]?.logprob);
    const text = whole.choices[0]?.message.content;
    expect(content.map(({ token }) => token).join('')).toBe(text);
    const final = await client.chat.completions.stream(request).finalChatCompletion();
    expect(final.choices[0]?.logprobs?.content?.map(({ token }) => token)).toEqual(
      content.map(({ token }) => token),
    );
  });

  it('gets several answers, the same ones with the same seed', async () => {
    const request = { model, messages, max_tokens: 8, n: 3, seed: 5, ...anyDigits };
    const first = await client.chat.completions.create(request);
    const again = await client.chat.completions.stream(request).finalChatCompletion();
    const texts = first.choices.map(({ message }) => message.content);
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(new Set(texts).size).toBeGreaterThan(1);
    expect(again.choices.map(({ message }) => message.content)).toEqual(texts);
  });

  it('ends at a stop string, which is not told', async () => {
    const request = { model, messages, temperature: 0, max_tokens: 12 };
    const { choices } = await client.chat.completions.create(request);
    const text = choices[0]?.message.content ?? '';
    const stop = text.slice(4, 7);
    const stopped = await client.chat.completions.create({ ...request, stop: [stop] });
    expect(stopped.choices[0]?.finish_reason).toBe('stop');
    expect(stopped.choices[0]?.message.content).toBe(text.slice(0, text.indexOf(stop)));
  });

  it('bans a token', async () => {
    const request = { model, messages, temperature: 0, max_tokens: 1 };
    const { choices } = await client.chat.completions.create(request);
    const first = choices[0]?.message.content ?? '';
    const [token = -1] = await tokensOf(first, false);
    const banned = await client.chat.completions.create({ ...request, logit_bias: { [token]: -100 } });
    expect(banned.choices[0]?.message.content).not.toBe(first);
  });

  it('is asked to call a function, and goes on with its result', async () => {
    const request = { model, messages, temperature: 0, tools: [weather], parallel_tool_calls: false };
    const forced = { ...request, tool_choice: 'required' as const };
    const { choices } = await client.chat.completions.create(forced);
    const message = choices[0]?.message;
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    const [call] = message?.tool_calls ?? [];
    if (message === undefined || call?.type !== 'function') throw new Error('no call');
    expect(call.function.name).toBe('get_weather');
    expect(['Rome', 'Oslo']).toContain(JSON.parse(call.function.arguments).city);
    const result = { role: 'tool' as const, tool_call_id: call.id, content: 'Sunny' };
    const next = await client.chat.completions.create({
      ...request,
      messages: [...messages, message, result],
      tool_choice: 'none',
      max_tokens: 4,
    });
    expect(next.choices[0]?.message.tool_calls).toBeUndefined();
    expect(next.choices[0]?.message.content).not.toBe('');
  });

  it('streams the call of a function that it was told to choose', async () => {
    const stream = client.chat.completions.stream({
      model,
      messages,
      temperature: 0,
      tools: [weather],
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
      parallel_tool_calls: false,
    });
    let growing = '';
    stream.on('tool_calls.function.arguments.delta', ({ arguments_delta }) => {
      growing += arguments_delta;
    });
    const final = await stream.finalChatCompletion();
    const [call] = final.choices[0]?.message.tool_calls ?? [];
    expect(final.choices[0]?.finish_reason).toBe('tool_calls');
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather', arguments: growing } });
    expect(['Rome', 'Oslo']).toContain(JSON.parse(growing).city);
  });

  it('parses an answer that fits a schema of Zod', async () => {
    const schema = z.object({ city: z.enum(['Rome', 'Oslo']), people: z.int().min(0).max(99) });
    const completion = await client.chat.completions.parse({
      model,
      messages,
      temperature: 0,
      response_format: zodResponseFormat(schema, 'capital'),
    });
    const parsed = completion.choices[0]?.message.parsed;
    expect(['Rome', 'Oslo']).toContain(parsed?.city);
    expect(parsed?.people).toBeLessThan(100);
  });

  it('gets any JSON object', async () => {
    const { choices } = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Answer in JSON: {"city": "Rome"}' }],
      temperature: 0,
      max_tokens: 60,
      response_format: { type: 'json_object' },
    });
    const [choice] = choices;
    expect(choice?.message.content?.trimStart()).toMatch(/^\{/);
    if (choice?.finish_reason === 'stop')
      expect(JSON.parse(choice.message.content ?? '')).toBeTypeOf('object');
  });

  it('continues a prompt, several times, with its probabilities and the prompt before it', async () => {
    const request = { model, prompt: 'The capital of France is', max_tokens: 3, temperature: 0 };
    const { choices, usage } = await client.completions.create({ ...request, logprobs: 1 });
    expect(choices[0]?.text).toContain('Paris');
    const { tokens = [], text_offset: offsets = [], top_logprobs: top } = choices[0]?.logprobs ?? {};
    expect(tokens.join('')).toBe(choices[0]?.text);
    expect(offsets[1]).toBe(tokens[0]?.length);
    expect(Object.keys(top?.[0] ?? {})).toEqual([tokens[0]]);
    expect(usage?.completion_tokens).toBe(3);
    const several = await client.completions.create({
      ...request,
      prompt: [request.prompt, 'The capital of Italy is'],
      echo: true,
      n: 2,
    });
    expect(several.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(several.choices[0]?.text).toBe(`${request.prompt}${choices[0]?.text}`);
    expect(several.choices[3]?.text).toMatch(/^The capital of Italy is Rome/);
    expect(several.usage?.completion_tokens).toBe(12);
  });

  it('continues tokens as it continues their text, whole and as a stream', async () => {
    const prompt = 'The capital of France is';
    const tokens = await tokensOf(prompt);
    const request = { model, max_tokens: 4, temperature: 0 };
    const ofText = await client.completions.create({ ...request, prompt });
    const ofTokens = await client.completions.create({ ...request, prompt: tokens });
    expect(ofTokens.choices[0]?.text).toBe(ofText.choices[0]?.text);
    let streamed = '';
    const stream = await client.completions.create({
      ...request,
      prompt: tokens,
      echo: true,
      stream: true,
    });
    for await (const { choices } of stream) streamed += choices[0]?.text ?? '';
    expect(streamed).toBe(`${prompt}${ofText.choices[0]?.text}`);
  });

  it('returns the most probable of several completions', async () => {
    const request = { model, prompt: 'Pi is ', max_tokens: 8, seed: 3, ...anyDigits };
    const all = await client.completions.create({ ...request, n: 4, logprobs: 0 });
    const best = await client.completions.create({ ...request, best_of: 4 });
    const means = all.choices.map(({ logprobs }) => {
      const values = logprobs?.token_logprobs ?? [];
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    });
    expect(best.choices).toHaveLength(1);
    expect(best.choices[0]?.text).toBe(all.choices[means.indexOf(Math.max(...means))]?.text);
    expect(best.choices[0]?.logprobs).toBeNull();
    expect(best.usage?.completion_tokens).toBe(all.usage?.completion_tokens);
  });

  it('gets vectors, as numbers and as the bytes that it asks for by itself', async () => {
    const input = ['How tall is it?', 'Its height is 330 metres.'];
    const { data, usage } = await client.embeddings.create({ model, input });
    const plain = await client.embeddings.create({ model, input, encoding_format: 'float' });
    expect(data).toHaveLength(2);
    expect(distance(data[1]?.embedding, plain.data[1]?.embedding)).toBeLessThan(1e-4);
    expect(usage.prompt_tokens).toBeGreaterThan(8);
    const short = await client.embeddings.create({ model, input: input[0] ?? '', dimensions: 64 });
    const vector = short.data[0]?.embedding ?? [];
    expect(vector).toHaveLength(64);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    const tokens = await tokensOf(input[0] ?? '');
    const ofTokens = await client.embeddings.create({
      model,
      input: [tokens],
      encoding_format: 'float',
    });
    expect(distance(ofTokens.data[0]?.embedding, plain.data[0]?.embedding)).toBeLessThan(1e-4);
  });

  it('aborts a stream, and the work ends with it', async () => {
    const stream = await client.chat.completions.create({ model, messages, stream: true, max_tokens: 500 });
    for await (const _ of stream) break;
    await expect.poll(() => started.server.models.find(model).inFlight, { timeout: 20_000 }).toBe(0);
  });

  it('is told what is wrong as the errors that it has', async () => {
    const long = [{ role: 'user' as const, content: 'word '.repeat(3000) }];
    const failure = await client.chat.completions.create({ model, messages: long }).catch((error) => error);
    expect(failure).toBeInstanceOf(BadRequestError);
    expect(failure).toMatchObject({
      code: 'context_length_exceeded',
      param: 'messages',
      type: 'invalid_request_error',
    });
    expect(failure.message).toMatch(/2048/);
    const streamed = await client.chat.completions
      .create({ model, messages: long, stream: true })
      .catch((error) => error);
    expect(streamed).toMatchObject({ status: 400, code: 'context_length_exceeded' });
    const unknown = await client.chat.completions
      .create({ model: 'gpt-4', messages })
      .catch((error) => error);
    expect(unknown).toBeInstanceOf(NotFoundError);
    expect(unknown).toMatchObject({ code: 'model_not_found', param: 'model' });
  });
});

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { editGgufMetadata } from '../../../lib/index.js';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';
import { readEvents, startTinyServer, type TinyServer } from '../../helpers/tiny-server-suite.js';

type Answer = Record<string, unknown>;

async function answerOf(response: Response): Promise<Answer> {
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

describe('the API of llama-server', () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer();
  });
  afterAll(() => started.server.close());

  const post = async (path: string, body: unknown) => answerOf(await started.post(path, body));

  it('tokenizes, and gives the same text back', async () => {
    const { tokens } = await post('/tokenize', { content: 'Hello world' });
    expect(tokens).toHaveLength(2);
    expect(await post('/detokenize', { tokens })).toEqual({ content: 'Hello world' });
  });

  it('tells what each token stands for, in bytes where that is no text', async () => {
    const { tokens } = await post('/tokenize', { content: 'Hi 🦙', with_pieces: true });
    const list = tokens as { id: number; piece: string | number[] }[];
    expect(list[0]).toEqual({ id: expect.any(Number), piece: 'Hi' });
    const bytes = list.flatMap(({ piece }) => (typeof piece === 'string' ? [...Buffer.from(piece)] : piece));
    expect(Buffer.from(bytes).toString()).toBe('Hi 🦙');
    expect(list.some(({ piece }) => Array.isArray(piece))).toBe(true);
  });

  it('reads control tokens as such unless told otherwise', async () => {
    const read = async (more: object) =>
      (await post('/tokenize', { content: '<|im_end|>', ...more })).tokens as number[];
    expect(await read({})).toHaveLength(1);
    expect((await read({ parse_special: false })).length).toBeGreaterThan(1);
    expect(await post('/detokenize', { tokens: await read({}) })).toEqual({ content: '<|im_end|>' });
  });

  it('renders a conversation', async () => {
    const messages = [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }];
    const { prompt } = await post('/apply-template', { messages });
    expect(prompt).toContain('<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n');
    const open = await post('/apply-template', { messages, add_generation_prompt: false });
    expect(open.prompt).not.toContain('<|im_start|>assistant');
  });

  it('completes a prompt with the facts that llama-server tells', async () => {
    const answer = await post('/completion', {
      prompt: 'The capital of France is',
      n_predict: 5,
      temperature: 0,
      return_tokens: true,
      n_probs: 2,
    });
    expect(answer).toMatchObject({
      index: 0,
      content: expect.stringContaining('Paris'),
      stop: true,
      stop_type: 'limit',
      stopping_word: '',
      model: 'smol',
      tokens_predicted: 5,
      tokens_evaluated: 5,
      truncated: false,
      prompt: 'The capital of France is',
      generation_settings: { n_predict: 5, temperature: 0 },
      timings: { predicted_n: 5, predicted_per_second: expect.any(Number) },
    });
    expect(answer.tokens).toHaveLength(5);
    const probabilities = answer.completion_probabilities as Answer[];
    expect(probabilities).toHaveLength(5);
    expect(probabilities[0]).toMatchObject({ token: ' Paris', bytes: [...Buffer.from(' Paris')] });
    expect(probabilities[0]?.top_logprobs).toHaveLength(2);
  });

  it('streams the same text in events, the last one with the facts', async () => {
    const request = { prompt: 'One, two, three,', n_predict: 8, temperature: 0 };
    const whole = await post('/completion', request);
    const response = await started.post('/completion', { ...request, stream: true });
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    const events = await readEvents(response);
    const last = events.at(-1);
    expect(events.map(({ content }) => content).join('')).toBe(whole.content);
    expect(events.slice(0, -1).every(({ stop }) => stop === false)).toBe(true);
    expect(last).toMatchObject({ stop: true, content: '', tokens_predicted: 8, stop_type: 'limit' });
  });

  it('ends at a stop string and names it', async () => {
    const answer = await post('/completion', {
      prompt: 'One, two, three, four,',
      n_predict: 40,
      temperature: 0,
      stop: [' seven'],
    });
    expect(answer).toMatchObject({ stop_type: 'word', stopping_word: ' seven' });
    expect(answer.content).not.toContain('seven');
  });

  it('holds the answer to a grammar or a JSON schema', async () => {
    const yes = await post('/completion', { prompt: 'Is it?', grammar: 'root ::= "yes" | "no"' });
    expect(['yes', 'no']).toContain(yes.content);
    const json = await post('/completion', {
      prompt: 'A number:',
      json_schema: {
        type: 'object',
        properties: { n: { type: 'integer', minimum: 1, maximum: 9 } },
        required: ['n'],
      },
    });
    expect(JSON.parse(json.content as string)).toEqual({ n: expect.any(Number) });
  });

  it('answers several prompts, and several times, in order', async () => {
    const response = await started.post('/completion', {
      prompt: ['The capital of France is', [1, 2, 'x']],
      n_cmpl: 2,
      n_predict: 2,
      temperature: 0,
    });
    const answers = (await response.json()) as Answer[];
    expect(answers.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(answers[1]?.content).toBe(answers[0]?.content);
    expect(answers[0]?.content).toContain('Paris');
  });

  it('only reads the prompt when it should predict nothing, and has it cached after', async () => {
    const prompt = 'Once upon a time there was a llama that lived alone.';
    expect(await post('/completion', { prompt, n_predict: 0 })).toMatchObject({
      content: '',
      tokens_predicted: 0,
    });
    const next = await post('/completion', { prompt: `${prompt} It`, n_predict: 1 });
    expect(next.tokens_cached).toBeGreaterThan(5);
  });

  it('keeps only the fields that are asked for', async () => {
    const answer = await post('/completion', {
      prompt: 'Hi',
      n_predict: 1,
      response_fields: ['content', 'generation_settings/n_predict', 'constructor/name'],
    });
    expect(answer).toEqual({ content: expect.any(String), 'generation_settings/n_predict': 1 });
  });

  it('chats at the path of llama-server', async () => {
    const messages = [{ role: 'user', content: 'Say hello.' }];
    const answer = await post('/chat/completions', { messages, max_tokens: 3, temperature: 0 });
    const same = await post('/v1/chat/completions', { messages, max_tokens: 3, temperature: 0 });
    expect(answer).toMatchObject({ object: 'chat.completion', usage: { completion_tokens: 3 } });
    expect(answer.choices).toEqual(same.choices);
  });

  it('tells how long a conversation is that does not fit, and how long it may be', async () => {
    const messages = [{ role: 'user', content: 'hello '.repeat(3000) }];
    for (const stream of [false, true]) {
      const response = await started.post('/chat/completions', { messages, stream });
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as { error: Record<string, number> };
      expect(error).toMatchObject({ code: 400, type: 'exceed_context_size_error', n_ctx: 2048 });
      expect(error.n_prompt_tokens).toBeGreaterThan(3000);
    }
  });

  it('names the settings that a request left out', async () => {
    const { generation_settings: settings } = await post('/completion', {
      prompt: 'Hi',
      n_predict: 1,
      temperature: null,
      top_k: 7,
    });
    expect(settings).toMatchObject({ n_predict: 1, top_k: 7, temperature: 0.8, min_p: 0.05, n_ctx: 2048 });
  });

  it('turns texts into vectors, a list of one for each', async () => {
    const answer = await post('/embedding', { content: ['Hello', 'world'] });
    const { data } = (await post('/v1/embeddings', { input: ['Hello', 'world'] })) as {
      data: { embedding: number[] }[];
    };
    expect(answer).toEqual(data.map(({ embedding }, index) => ({ index, embedding: [embedding] })));
    expect((await started.post('/embeddings', {})).status).toBe(400);
  });

  it('describes the server and the model', async () => {
    const answer = await answerOf(await fetch(`${started.url}/props`));
    expect(answer).toMatchObject({
      default_generation_settings: { n_ctx: 2048, params: { temperature: 0.8 } },
      total_slots: 8,
      model_alias: 'smol',
      chat_template: expect.stringContaining('im_start'),
      eos_token: '<|im_end|>',
    });
  });

  it('tells how many of its sequences are at work', async () => {
    await started.server.models.load('smol');
    const slots = (await (await fetch(`${started.url}/slots`)).json()) as Answer[];
    expect(slots).toHaveLength(8);
    expect(slots.every(({ is_processing }) => is_processing === false)).toBe(true);
  });

  it('says that a model without tokens for it cannot fill in', async () => {
    const response = await started.post('/infill', { input_prefix: 'a', input_suffix: 'b' });
    expect(response.status).toBe(501);
    expect(await response.json()).toMatchObject({ error: { code: 501, type: 'not_supported_error' } });
  });

  it.each([
    ['/tokenize', { content: 5 }, 400, 'invalid_request_error'],
    ['/tokenize', {}, 400, 'invalid_request_error'],
    ['/tokenize', { content: 'a', model: 'none' }, 404, 'not_found_error'],
    ['/detokenize', { tokens: [999_999_999] }, 400, 'invalid_request_error'],
    ['/detokenize', { tokens: [-1] }, 400, 'invalid_request_error'],
    ['/detokenize', { tokens: ['a'] }, 400, 'invalid_request_error'],
    ['/apply-template', { messages: [] }, 400, 'invalid_request_error'],
    [
      '/apply-template',
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      400,
      'invalid_request_error',
    ],
    ['/completion', {}, 400, 'invalid_request_error'],
    ['/completion', { prompt: '' }, 400, 'invalid_request_error'],
    ['/completion', { prompt: [] }, 400, 'invalid_request_error'],
    ['/completion', { prompt: [[1], 2] }, 400, 'invalid_request_error'],
    ['/completion', { prompt: [999_999_999] }, 400, 'invalid_request_error'],
    ['/completion', { prompt: 'a', n_predict: -7 }, 400, 'invalid_request_error'],
    ['/completion', { prompt: 'a', top_p: 2 }, 400, 'invalid_request_error'],
    ['/completion', { prompt: 'a', grammar: 'root ::= (' }, 400, 'invalid_request_error'],
    ['/completion', { prompt: 'a', grammar: 'root ::= "a"', json_schema: {} }, 400, 'invalid_request_error'],
    ['/completion', { prompt: 'a', lora: [{ id: 0, scale: 1 }] }, 501, 'not_supported_error'],
    ['/completion', { prompt: Array(300).fill('a'), n_predict: 1 }, 400, 'invalid_request_error'],
    ['/completion', { prompt: 'word '.repeat(3000) }, 400, 'exceed_context_size_error'],
    ['/completion', { prompt: 'word '.repeat(3000), stream: true }, 400, 'exceed_context_size_error'],
    ['/completion', '{"prompt":', 400, 'invalid_request_error'],
  ])('refuses %s %j with status %i and the type %s', async (path, body, status, type) => {
    const response = await started.post(path, body);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: Answer };
    expect(error).toEqual(expect.objectContaining({ code: status, type, message: expect.any(String) }));
  });
});

describe('the slots of a model that is not loaded', () => {
  it('are refused with 503, and asking does not load it', async () => {
    const { testModelPath } = await import('../../helpers/model.js');
    const started = await startServerForTest({
      models: [{ source: await testModelPath(), name: 'smol', preload: false }],
    });
    const response = await fetch(`${started.url}/slots`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    expect(started.server.models.find('smol').state).toBe('unloaded');
  });
});

describe('a completion whose client goes away', () => {
  let tiny: TinyServer;
  beforeAll(async () => {
    tiny = await startTinyServer();
  });
  afterAll(() => tiny.close());

  it('ends within a step, streamed or not, and leaves no sequence behind', async () => {
    for (const stream of [true, false]) {
      const controller = new AbortController();
      const body = JSON.stringify({ prompt: ['a', 'b'], n_cmpl: 2, n_predict: -1, ignore_eos: true, stream });
      const asked = fetch(`${tiny.url}/completion`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: controller.signal,
      });
      if (stream) await (await asked).body?.getReader().read();
      else asked.catch(() => {});
      controller.abort();
      await tiny.becomesIdle();
    }
    const after = await answerOf(await tiny.post('/completion', { prompt: 'a', n_predict: 3 }));
    expect(after.tokens_predicted).toBe(3);
  });
});

describe('filling in', () => {
  it('puts prefix, suffix and other files around the tokens that the model names', async () => {
    const tiny = await startTinyServer();
    onTestFinished(() => tiny.close());
    const path = join(tiny.folder, 'infill.gguf');
    const token = (value: number) => ({ type: 'uint32', value }) as const;
    await editGgufMetadata(join(tiny.folder, 'tiny.gguf'), path, {
      'tokenizer.ggml.fim_pre_token_id': token(1),
      'tokenizer.ggml.fim_suf_token_id': token(2),
      'tokenizer.ggml.fim_mid_token_id': token(3),
      'tokenizer.ggml.fim_sep_token_id': token(4),
    });
    const started = await startServerForTest({ models: [{ source: path, name: 'code' }] });
    const request = {
      input_prefix: 'left(',
      input_suffix: ')right',
      input_extra: [{ filename: 'other.ts', text: 'more' }],
      prompt: 'x',
      n_predict: 2,
    };
    const answer = await answerOf(await started.post('/infill', request));
    expect(answer.prompt).toBe('\u0004other.ts\nmore\u0004filename\n\u0001left(\u0002)right\u0003x');
    const long = await answerOf(
      await started.post('/infill', { ...request, input_prefix: `${'y'.repeat(9000)}(` }),
    );
    expect((long.prompt as string).endsWith('y(\u0002)right\u0003x')).toBe(true);
    expect(long.tokens_evaluated).toBeLessThan(2048);
  });
});

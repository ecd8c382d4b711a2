import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../helpers/test-server.js';
import { readEvents, startTinyServer, type TinyServer } from '../../helpers/tiny-server-suite.js';

interface StreamEvent {
  readonly index: number;
  readonly token: {
    readonly id: number;
    readonly text: string;
    readonly logprob: number;
    readonly special: boolean;
  };
  readonly top_tokens?: readonly unknown[];
  readonly generated_text: string | null;
  readonly details: Record<string, unknown> | null;
}

const inputs = 'The capital of France is';

describe('the API of Text Generation Inference', () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer();
  });
  afterAll(() => started.server.close());

  const generate = async (body: object) => {
    const response = await started.post('/generate', body);
    expect(response.status).toBe(200);
    return (await response.json()) as { generated_text: string; details?: Record<string, unknown> };
  };
  const stream = async (body: object, path = '/generate_stream') => {
    const response = await started.post(path, body);
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    return readEvents<StreamEvent>(response);
  };

  it('continues an input greedily, on the route that the simple API has too', async () => {
    const request = { inputs, parameters: { max_new_tokens: 5 } };
    const answer = await generate(request);
    expect(Object.keys(answer)).toEqual(['generated_text']);
    expect(answer.generated_text).toContain('Paris');
    expect(await generate(request)).toEqual(answer);
    const simple = await started.post('/generate', { prompt: inputs, max_tokens: 5, temperature: 0 });
    expect(await simple.json()).toMatchObject({ generated_text: answer.generated_text, model: 'smol' });
  });

  it('tells the tokens, their probabilities and why it ended', async () => {
    const parameters = { max_new_tokens: 4, details: true, top_n_tokens: 2 };
    const { generated_text, details } = await generate({ inputs, parameters });
    expect(details).toMatchObject({
      finish_reason: 'length',
      generated_tokens: 4,
      seed: null,
      prefill: [],
    });
    const tokens = details?.tokens as StreamEvent['token'][];
    expect(tokens.map(({ text }) => text).join('')).toBe(generated_text);
    expect(tokens[0]).toEqual({
      id: expect.any(Number),
      text: ' Paris',
      logprob: expect.any(Number),
      special: false,
    });
    expect(details?.top_tokens).toEqual(tokens.map(() => [expect.anything(), expect.anything()]));
  });

  it('tells the seed that it drew, which gives the same text again', async () => {
    const parameters = { max_new_tokens: 12, do_sample: true, temperature: 1.5, details: true };
    const first = await generate({ inputs, parameters });
    const seed = first.details?.seed as number;
    const again = await generate({ inputs, parameters: { ...parameters, seed } });
    expect(again.generated_text).toBe(first.generated_text);
  });

  it('puts the input before the text if it is asked to, and reads only its last tokens', async () => {
    const parameters = { max_new_tokens: 3, return_full_text: true };
    expect((await generate({ inputs, parameters })).generated_text.startsWith(inputs)).toBe(true);
    const cut = await generate({
      inputs: `Nonsense. ${inputs}`,
      parameters: { max_new_tokens: 5, truncate: 5 },
    });
    expect(cut.generated_text).toBe(
      (await generate({ inputs, parameters: { max_new_tokens: 5 } })).generated_text,
    );
  });

  it('ends at a stop string', async () => {
    const parameters = { max_new_tokens: 40, stop: [' seven'], details: true };
    const { details } = await generate({ inputs: 'One, two, three, four,', parameters });
    expect(details?.finish_reason).toBe('stop_sequence');
  });

  it('holds the answer to a JSON schema or a regular expression', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer', maximum: 99 } }, required: ['n'] };
    for (const value of [schema, JSON.stringify(schema)]) {
      const json = await generate({ inputs, parameters: { grammar: { type: 'json', value } } });
      expect(JSON.parse(json.generated_text)).toEqual({ n: expect.any(Number) });
    }
    const regex = await generate({ inputs, parameters: { grammar: { type: 'regex', value: '[a-c]{3}' } } });
    expect(regex.generated_text).toMatch(/^[a-c]{3}$/);
  });

  it('streams a token an event, and the whole text with the last one', async () => {
    const parameters = { max_new_tokens: 6 };
    const { generated_text } = await generate({ inputs, parameters });
    const events = await stream({ inputs, parameters });
    expect(events).toHaveLength(6);
    expect(events.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(events.map(({ token }) => token.text).join('')).toBe(generated_text);
    expect(
      events.slice(0, -1).every((event) => event.generated_text === null && event.details === null),
    ).toBe(true);
    expect(events.at(-1)).toMatchObject({
      generated_text,
      details: { finish_reason: 'length', generated_tokens: 6, input_length: 5, seed: null },
    });
  });

  it('streams a closing event of a special token where the answer ends by itself', async () => {
    const grammar = { type: 'regex', value: 'yes' };
    const events = await stream({ inputs, parameters: { grammar } });
    expect(events.at(-1)).toMatchObject({
      token: { special: true, text: '' },
      generated_text: 'yes',
      details: { finish_reason: 'eos_token' },
    });
  });

  it('answers POST / as well, with the input before the text, whole or streamed', async () => {
    const body = { inputs, parameters: { max_new_tokens: 3 } };
    const whole = (await (await started.post('/', body)).json()) as { generated_text: string }[];
    expect(whole).toHaveLength(1);
    expect(whole[0]?.generated_text).toContain(`${inputs} Paris`);
    const events = await stream({ ...body, stream: true }, '/');
    expect(events.at(-1)?.generated_text).toBe(whole[0]?.generated_text);
  });

  it('tells the limits of the default model', async () => {
    const answer = await (await fetch(`${started.url}/info`)).json();
    expect(answer).toMatchObject({
      model_id: 'smol',
      max_total_tokens: 2048,
      max_input_tokens: 2047,
      max_best_of: 1,
      router: 'llama-native',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });

  it('describes both bodies of /generate in /docs', async () => {
    const document = await (await fetch(`${started.url}/docs/json`)).json();
    const anyOf = [{ required: ['prompt'] }, { required: ['inputs'] }];
    const body = { content: { 'application/json': { schema: { anyOf } } } };
    expect(document).toMatchObject({ paths: { '/generate': { post: { requestBody: body } } } });
  });

  it.each([
    ['/generate', { inputs: 5 }, 422, 'validation'],
    ['/generate', { inputs: '' }, 422, 'validation'],
    ['/generate', { inputs, parameters: { max_new_tokens: 0 } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { max_new_tokens: 'many' } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { temperature: 0 } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { decoder_input_details: true } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { best_of: 2 } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { grammar: { type: 'regex', value: '(' } } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { grammar: { type: 'regex', value: '(a)\\1' } } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { grammar: { type: 'json', value: '{' } } }, 422, 'validation'],
    ['/generate', { inputs, parameters: { grammar: { type: 'poem', value: 'x' } } }, 422, 'validation'],
    ['/generate', { inputs, model: 'none' }, 404, 'not_found'],
    ['/generate', { inputs: 'word '.repeat(3000) }, 422, 'validation'],
    ['/generate_stream', { inputs: 'word '.repeat(3000) }, 422, 'validation'],
    ['/generate_stream', {}, 422, 'validation'],
    ['/generate_stream', '{"inputs":', 422, 'validation'],
    ['/', { inputs, stream: 'yes' }, 422, 'validation'],
  ])('refuses %s %j with status %i and the type %s', async (path, body, status, type) => {
    const response = await started.post(path, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String), error_type: type });
  });

  it('names what is wrong in the words of the API that the body belongs to', async () => {
    const answer = async (body: object) => (await started.post('/generate', body)).json();
    expect(await answer({ inputs: 5 })).toMatchObject({ error: expect.stringContaining('inputs') });
    expect(await answer({ prompt: 5 })).toMatchObject({ code: 'invalid_value', param: 'prompt' });
    expect(await answer({})).toMatchObject({ error: expect.stringContaining('prompt') });
  });

  it('ignores what has no effect', async () => {
    const parameters = {
      max_new_tokens: 2,
      watermark: true,
      decoder_input_details: false,
      best_of: 1,
      unknown: 1,
    };
    expect((await generate({ inputs, parameters })).generated_text).not.toBe('');
  });
});

describe('a stream whose client goes away', () => {
  let tiny: TinyServer;
  beforeAll(async () => {
    tiny = await startTinyServer();
  });
  afterAll(() => tiny.close());

  it('ends within a step and leaves no sequence behind', async () => {
    const controller = new AbortController();
    const response = await fetch(`${tiny.url}/generate_stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: 'a', parameters: { max_new_tokens: 100_000 } }),
      signal: controller.signal,
    });
    await response.body?.getReader().read();
    controller.abort();
    await tiny.becomesIdle();
    const events = await readEvents(
      await tiny.post('/generate_stream', { inputs: 'a', parameters: { max_new_tokens: 2 } }),
    );
    expect(events).toHaveLength(2);
  });
});

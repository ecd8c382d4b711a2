import type { ChatCompletion } from 'openai/resources';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEvents } from '../../helpers/server-events.js';
import { startTestServer, type TestServer } from '../../helpers/test-server.js';

const question = [{ role: 'user', content: 'What is the capital of France?' }];
const path = '/v1/chat/completions';

interface Chunk {
  readonly choices: readonly {
    readonly index: number;
    readonly delta: { readonly content?: string; readonly role?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: Record<string, unknown> | null;
}

describe('chat completions', () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer({ load: { threads: 1 } });
  });
  afterAll(() => started.server.close());

  it('answers a question with usage and timings', async () => {
    const response = await started.post(path, { messages: question, temperature: 0, max_tokens: 6 });
    expect(response.status).toBe(200);
    const answer = (await response.json()) as ChatCompletion;
    expect(answer).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      model: 'smol',
      system_fingerprint: expect.stringMatching(/^fp_[0-9a-f]{10}$/),
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: expect.any(String), refusal: null },
          logprobs: null,
          finish_reason: 'length',
        },
      ],
      usage: { completion_tokens: 6 },
      timings: { predicted_n: 6 },
    });
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage ?? {};
    expect(total_tokens).toBe(Number(prompt_tokens) + Number(completion_tokens));
  });

  it('streams the same answer, the role first and the usage last', async () => {
    const body = { messages: question, temperature: 0, max_tokens: 6 };
    const whole = (await (await started.post(path, body)).json()) as ChatCompletion;
    const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
    const events = await readEvents(await started.post(path, streamed));
    expect(events.at(-1)).toBe('[DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as Chunk);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(chunks.at(-2)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'length' });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: whole.usage?.total_tokens } });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });
});

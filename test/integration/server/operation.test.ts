import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { startServerForTest } from '../../helpers/test-server.js';

/** A logger whose lines can be read. */
function recordingLog() {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { lines, log: pino({ level: 'info' }, stream) };
}

const request = { prompt: 'A secret of mine is', max_tokens: 4, temperature: 0 };

/** The value of a sample in Prometheus' text, by its whole name with labels. */
function sample(text: string, name: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

describe('what operates the server', () => {
  it('sees that it lives at once, and that it is ready when its first model is loaded', async () => {
    const { server, url } = await startServerForTest();
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
      status: 'ok',
      requests_in_flight: 0,
    });
    const early = await fetch(`${url}/ready`);
    expect([200, 503]).toContain(early.status);
    await server.models.load('smol');
    const late = await fetch(`${url}/ready`);
    expect(late.status).toBe(200);
    expect(await late.json()).toEqual({ status: 'ready', models: { smol: 'ready' } });
  });

  it('sees that a model cannot be loaded', async () => {
    const { server, url } = await startServerForTest({ models: [{ source: '/nowhere.gguf', name: 'none' }] });
    await expect(server.models.load('none')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    const response = await fetch(`${url}/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: 'failed', models: { none: 'failed' } });
  });

  it('counts requests, tokens and times for Prometheus', async () => {
    const { url, post } = await startServerForTest();
    for (let index = 0; index < 2; index += 1) await (await post('/generate', request)).json();
    await post('/generate', { ...request, model: 'none' });
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const text = await response.text();
    const prefix = 'llama_native_';
    const ofCompletions = 'model="smol",kind="completion"';
    expect(sample(text, `${prefix}requests_total{${ofCompletions},outcome="ok"}`)).toBe(2);
    const refused = 'model="",kind="completion",outcome="model_not_found"';
    expect(sample(text, `${prefix}requests_total{${refused}}`)).toBe(1);
    expect(sample(text, `${prefix}requests_in_flight{${ofCompletions}}`)).toBe(0);
    expect(sample(text, `${prefix}tokens_total{model="smol",kind="completion"}`)).toBe(8);
    expect(sample(text, `${prefix}tokens_total{model="smol",kind="cached"}`)).toBeGreaterThan(0);
    expect(sample(text, `${prefix}time_to_first_token_seconds_count{model="smol"}`)).toBe(2);
    expect(sample(text, `${prefix}inter_token_seconds_count{model="smol"}`)).toBe(2);
    expect(sample(text, `${prefix}cache_tokens{model="smol"}`)).toBe(2048);
    expect(sample(text, `${prefix}model_state{model="smol",state="ready"}`)).toBe(1);
    expect(text).toMatch(/llama_native_device_memory_bytes\{device="[^"]+",kind="free"\} \d{6,}/);
  });

  it('finds each request in the log under its id, and nothing of what was asked', async () => {
    const { lines, log } = recordingLog();
    const { post } = await startServerForTest({ log });
    const response = await post('/generate', request);
    await response.json();
    const id = response.headers.get('x-request-id');
    const ofRequest = lines.map((line) => JSON.parse(line)).filter(({ reqId }) => reqId === id);
    expect(ofRequest).toContainEqual(
      expect.objectContaining({ msg: 'request', status: 200, path: '/generate' }),
    );
    expect(ofRequest).toContainEqual(expect.objectContaining({ msg: 'answer', completionTokens: 4 }));
    expect(lines.join('')).not.toContain('secret');
  });

  it('finds prompts and answers in the log where it asked for them', async () => {
    const { lines, log } = recordingLog();
    const { post } = await startServerForTest({ log, logPrompts: true });
    const { generated_text: answer } = (await (await post('/generate', request)).json()) as {
      generated_text: string;
    };
    const entries = lines.map((line) => JSON.parse(line));
    expect(entries).toContainEqual(expect.objectContaining({ msg: 'prompt', body: request }));
    expect(entries).toContainEqual(
      expect.objectContaining({ msg: 'answer', answer: expect.objectContaining({ text: answer }) }),
    );
  });
});

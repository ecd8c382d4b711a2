import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../helpers/test-server.js';

describe('the simple API', () => {
  let started: TestServer;
  beforeAll(async () => {
    started = await startTestServer();
  });
  afterAll(() => started.server.close());

  it('answers a prompt with text and speed', async () => {
    const response = await started.post('/generate', {
      prompt: 'The capital of France is',
      max_tokens: 5,
      temperature: 0,
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const answer = (await response.json()) as Record<string, string | number>;
    expect(answer).toMatchObject({ model: 'smol', tokens_generated: 5 });
    expect(answer.generated_text).toContain('Paris');
    expect(answer.tokens_per_second).toBeGreaterThan(0);
    expect(answer.inference_time).toBeGreaterThan(0);
  });

  it('lists the models that are loaded', async () => {
    await started.server.models.load('smol');
    const response = await fetch(`${started.url}/models`);
    expect(await response.json()).toEqual({ loaded_models: ['smol'], default_model: 'smol' });
  });

  it('names the field that is wrong', async () => {
    const response = await started.post('/generate', { prompt: 5 });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_value', param: 'prompt' });
  });

  it('answers 404 for a model that does not exist, with those that do', async () => {
    const response = await started.post('/generate', { prompt: 'Hi', model: 'none' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: 'model_not_found',
      error: expect.stringContaining('smol'),
    });
  });
});

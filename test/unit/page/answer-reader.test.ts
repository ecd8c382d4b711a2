import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../../page/api/answer-reader.js';
import { ApiFailure, toApiFailure } from '../../../page/api/api-failure.js';

function delta(fields: object, finishReason: string | null = null): string {
  return JSON.stringify({ model: 'm', choices: [{ delta: fields, finish_reason: finishReason }] });
}

describe('the reader of answers', () => {
  it('puts text and reasoning together and measures both', () => {
    let now = 0;
    const reader = new AnswerReader(() => now);
    reader.take(delta({ role: 'assistant', content: '' }));
    now = 100;
    reader.take(delta({ reasoning_content: 'Hm' }));
    now = 300;
    reader.take(delta({ content: 'Yes' }));
    now = 500;
    reader.take(delta({ content: '.' }));
    expect(reader.state).toMatchObject({ text: 'Yes.', reasoning: 'Hm', reasoningMs: 200, model: 'm' });
    expect(reader.state.figures).toMatchObject({
      completionTokens: 3,
      firstTokenMs: 100,
      tokensPerSecond: 5,
    });
    expect(reader.hasEnded).toBe(false);
  });

  it('believes the counts and the speed of the server when they come', () => {
    const reader = new AnswerReader(() => 0);
    reader.take(delta({ content: 'a' }));
    reader.take(delta({}, 'length'));
    const usage = { prompt_tokens: 7, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 4 } };
    reader.take(JSON.stringify({ choices: [], usage, timings: { predicted_per_second: 33 } }));
    expect(reader.take('[DONE]')).toBe(false);
    expect(reader.state).toMatchObject({
      end: 'length',
      figures: { promptTokens: 7, cachedTokens: 4, completionTokens: 9, tokensPerSecond: 33 },
    });
  });

  it('fails with what the server says in the middle of a stream', () => {
    const reader = new AnswerReader();
    const data = JSON.stringify({ error: { message: 'The engine crashed.', code: 'engine_crashed' } });
    expect(() => reader.take(data)).toThrow(
      expect.objectContaining({ message: 'The engine crashed.', code: 'engine_crashed' }),
    );
  });

  it('fails with an event that is not JSON', () => {
    expect(() => new AnswerReader().take('<html>')).toThrow(ApiFailure);
  });
});

describe('a failure of the API', () => {
  it.each([
    [{ error: { message: 'No.', code: 'bad', type: 'x' } }, 'No.', 'bad'],
    [{ error: 'No.', code: 'bad' }, 'No.', 'bad'],
    [{ error: { message: 'No.', code: 404 } }, 'No.', undefined],
    ['a proxy’s page', '', undefined],
    [undefined, '', undefined],
  ])('is read from %j', (body, message, code) => {
    expect(toApiFailure(body, 400)).toMatchObject({ message, code, status: 400 });
  });

  it('tells when to try again', () => {
    expect(toApiFailure({}, 429, '3').retryAfterSeconds).toBe(3);
    expect(toApiFailure({}, 429, null).retryAfterSeconds).toBeUndefined();
    expect(toApiFailure({}, 429, 'Wed, 21 Oct 2026 07:28:00 GMT').retryAfterSeconds).toBeUndefined();
  });
});

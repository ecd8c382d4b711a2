import { describe, expect, it } from 'vitest';
import { explainContextFailure } from '../../lib/engine/context-failure.js';
import { createError } from '../../lib/errors.js';

const explain = (error: unknown) => explainContextFailure(error, 4096, 'a smaller contextSize');

describe('a context that could not be created', () => {
  it.each([
    ['failed to allocate buffer of size 1099511627776', 'OUT_OF_MEMORY'],
    ['CUDA error: out of memory', 'OUT_OF_MEMORY'],
    ['something else', 'CONTEXT_CREATE_FAILED'],
    ['', 'CONTEXT_CREATE_FAILED'],
  ])('for the reason %j is %s, with the reason, the size and a way out', (reason, code) => {
    const error = explain(createError('CONTEXT_CREATE_FAILED', reason));
    expect(error).toMatchObject({ code, details: { contextSize: 4096 } });
    const { message } = error as Error;
    expect(message).toContain(reason || 'llama.cpp gave no reason');
    expect(message).toMatch(/^A context of 4096 tokens [\s\S]*\nTry a smaller contextSize\.$/);
  });

  it('for another failure is that failure', () => {
    const closed = createError('CLOSED', 'The model was closed.');
    expect(explain(closed)).toBe(closed);
  });
});

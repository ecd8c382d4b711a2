import { describe, expect, it } from 'vitest';
import { withinTimeLimit } from '../../lib/chat/time-limit.js';

describe('the time limit of a template', () => {
  it('fails what does not end', async () => {
    await expect(withinTimeLimit(new Promise(() => {}), 20)).rejects.toMatchObject({
      code: 'CHAT_TEMPLATE_FAILED',
      name: 'ChatError',
      details: { limitMs: 20 },
    });
  });

  it('passes results and failures on', async () => {
    expect(await withinTimeLimit(Promise.resolve(5), 20)).toBe(5);
    await expect(withinTimeLimit(Promise.reject(new Error('syntax')), 20)).rejects.toThrow('syntax');
  });

  it('takes a result that waited while the event loop stood still', async () => {
    let finish = (_value: number) => {};
    const rendering = new Promise<number>((resolve) => {
      finish = resolve;
    });
    const waiting = withinTimeLimit(rendering, 20);
    setTimeout(finish, 30, 7);
    const until = performance.now() + 60;
    while (performance.now() < until); // both timers are due at once
    expect(await waiting).toBe(7);
  });
});

import { describe, expect, it } from 'vitest';
import { withinTimeLimit } from '../../lib/chat/time-limit.js';

describe('the time limit of a template', () => {
  it('fails what does not end', async () => {
    await expect(withinTimeLimit(new Promise(() => {}), { limitMs: 20 })).rejects.toMatchObject({
      code: 'CHAT_TEMPLATE_FAILED',
      name: 'ChatError',
      details: { limitMs: 20 },
    });
  });

  it('passes results and failures on', async () => {
    expect(await withinTimeLimit(Promise.resolve(5), { limitMs: 20 })).toBe(5);
    await expect(withinTimeLimit(Promise.reject(new Error('syntax')), { limitMs: 20 })).rejects.toThrow(
      'syntax',
    );
  });

  it('takes a result that waited while the event loop stood still', async () => {
    let finish = (_value: number) => {};
    const rendering = new Promise<number>((resolve) => {
      finish = resolve;
    });
    const waiting = withinTimeLimit(rendering, { limitMs: 20 });
    setTimeout(finish, 30, 7);
    const until = performance.now() + 60;
    while (performance.now() < until); // both timers are due at once
    expect(await waiting).toBe(7);
  });
});

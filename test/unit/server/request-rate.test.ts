import { describe, expect, it } from 'vitest';
import { anonymous } from '../../../lib/server/http/fastify-types.js';
import { RequestRate } from '../../../lib/server/security/request-rate.js';

const reader = { name: 'reader', isAdmin: false, concurrency: undefined };

describe('a rate of requests', () => {
  it('refuses one too many with the time to wait, and counts anew in the next minute', () => {
    let now = 1000;
    const rate = new RequestRate(2, () => now);
    rate.take(reader, 'a');
    now += 20_000;
    rate.take(reader, 'b');
    expect(() => rate.take(reader, 'a')).toThrow(
      expect.objectContaining({ status: 429, code: 'rate_limit_exceeded', retryAfterSeconds: 40 }),
    );
    now += 40_000;
    rate.take(reader, 'a');
  });

  it('counts each key alone, and clients without one by their address', () => {
    const rate = new RequestRate(1, () => 0);
    rate.take(reader, 'a');
    rate.take({ ...reader, name: 'other' }, 'a');
    rate.take(anonymous, 'a');
    rate.take(anonymous, 'b');
    expect(() => rate.take(anonymous, 'a')).toThrow('More than 1');
  });

  it('refuses nothing where there is no limit', () => {
    const rate = new RequestRate(undefined);
    for (let index = 0; index < 1000; index++) rate.take(reader, 'a');
  });
});

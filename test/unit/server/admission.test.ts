import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Client } from '../../../lib/server/http/fastify-types.js';
import { Admission } from '../../../lib/server/workload/admission.js';

const clientOf = (name: string, concurrency?: number): Client => ({ name, isAdmin: false, concurrency });
const anybody = clientOf('anybody');

/** What a request is told that is not let in. */
function refusalOf(admission: Admission, model: string, client = anybody) {
  try {
    admission.enter(model, client);
  } catch (error) {
    return error as { code: string; status: number; retryAfterSeconds: number };
  }
  throw new Error('It was let in.');
}

describe('admission', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('has as many places as the model says, and each can be had again', () => {
    const limits = {
      requestsPerModel: (model: string) => (model === 'small' ? 1 : 2),
      requestsPerClient: undefined,
    };
    const admission = new Admission(limits);
    const leave = admission.enter('small', anybody);
    expect(refusalOf(admission, 'small')).toMatchObject({ code: 'queue_full', status: 429 });
    admission.enter('large', anybody);
    admission.enter('large', anybody);
    expect(refusalOf(admission, 'large').code).toBe('queue_full');
    expect(admission.inFlight).toBe(3);
    leave();
    admission.enter('small', anybody);
    expect(admission.inFlight).toBe(3);
  });

  it('counts the requests of a key over all models; a limit of its own goes before that of all', () => {
    const admission = new Admission({ requestsPerModel: () => 10, requestsPerClient: 2 });
    const one = clientOf('one', 1);
    const leave = admission.enter('a', one);
    expect(refusalOf(admission, 'b', one)).toMatchObject({ code: 'too_many_requests', status: 429 });
    admission.enter('a', anybody);
    admission.enter('b', anybody);
    expect(refusalOf(admission, 'c').code).toBe('too_many_requests');
    leave();
    admission.enter('b', one);
  });

  it('says when to come back by how fast requests end, not by how long nobody came', () => {
    const admission = new Admission({ requestsPerModel: () => 2, requestsPerClient: undefined });
    admission.enter('a', anybody)();
    vi.advanceTimersByTime(3_600_000);
    const leaves = [admission.enter('a', anybody), admission.enter('a', anybody)];
    expect(refusalOf(admission, 'a').retryAfterSeconds).toBe(1);
    for (let round = 0; round < 30; round++) {
      vi.advanceTimersByTime(10_000);
      leaves.shift()?.();
      leaves.push(admission.enter('a', anybody));
    }
    expect(refusalOf(admission, 'a').retryAfterSeconds).toBe(10);
    for (let round = 0; round < 30; round++) {
      vi.advanceTimersByTime(500_000);
      leaves.shift()?.();
      leaves.push(admission.enter('a', anybody));
    }
    expect(refusalOf(admission, 'a').retryAfterSeconds).toBe(60);
  });
});

import { describe, expect, it } from 'vitest';
import { ResponseStore, type StoredResponse } from '../../../lib/server/openai/responses/store.js';

function stored(id: string, characters = 0, owner = 'me'): StoredResponse {
  const output = [{ id: `msg_${id}`, type: 'message' }];
  return { id, owner, response: { id, text: 'x'.repeat(characters) }, input: [], output };
}

describe('the store of responses', () => {
  it('gives back what was put, to its owner only', () => {
    const store = new ResponseStore();
    store.put(stored('a'));
    expect(store.get('a', 'me')?.response).toMatchObject({ id: 'a' });
    expect(store.get('a', 'you')).toBeUndefined();
    expect(store.delete('a', 'you')).toBe(false);
    expect(store.get('b', 'me')).toBeUndefined();
    expect(store.delete('a', 'me')).toBe(true);
    expect(store.delete('a', 'me')).toBe(false);
    expect([store.size, store.bytes]).toEqual([0, 0]);
  });

  it('finds items of its responses, for their owner, as long as the response is there', () => {
    const store = new ResponseStore();
    store.put(stored('a'));
    expect(store.findItem('msg_a', 'me')).toMatchObject({ id: 'msg_a' });
    expect(store.findItem('msg_a', 'you')).toBeUndefined();
    expect(store.findItem('toString', 'me')).toBeUndefined();
    store.delete('a', 'me');
    expect(store.findItem('msg_a', 'me')).toBeUndefined();
  });

  it('makes room by forgetting what was not used for longest', () => {
    const store = new ResponseStore({ bytes: 10_000, ageMs: 1000 }, () => 0);
    for (const id of ['a', 'b', 'c']) store.put(stored(id, 1500));
    store.get('a', 'me');
    store.put(stored('d', 1500));
    expect(['a', 'b', 'c', 'd'].filter((id) => store.get(id, 'me') !== undefined)).toEqual(['a', 'c', 'd']);
    expect(store.bytes).toBeLessThanOrEqual(10_000);
  });

  it('never holds more than its limit, whatever comes', () => {
    const store = new ResponseStore({ bytes: 50_000, ageMs: 1000 }, () => 0);
    for (let index = 0; index < 2000; index++) {
      store.put(stored(`r${index % 300}`, (index * 7919) % 30_000));
      expect(store.bytes).toBeLessThanOrEqual(50_000);
    }
    for (let index = 0; index < 300; index++) store.delete(`r${index}`, 'me');
    expect([store.size, store.bytes]).toEqual([0, 0]);
  });

  it('does not keep what is larger than all that may be kept, nor forget others for it', () => {
    const store = new ResponseStore({ bytes: 10_000, ageMs: 1000 }, () => 0);
    store.put(stored('a'));
    store.put(stored('b', 20_000));
    expect(store.get('b', 'me')).toBeUndefined();
    expect(store.get('a', 'me')).toBeDefined();
  });

  it('forgets what nobody used for its age', () => {
    let now = 0;
    const store = new ResponseStore({ bytes: 10_000, ageMs: 1000 }, () => now);
    store.put(stored('a'));
    store.put(stored('b'));
    now = 900;
    expect(store.get('a', 'me')).toBeDefined();
    now = 1500;
    expect(store.get('b', 'me')).toBeUndefined();
    expect(store.get('a', 'me')).toBeDefined();
    now = 5000;
    store.put(stored('c'));
    expect(store.size).toBe(1);
  });
});

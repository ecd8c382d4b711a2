import { describe, expect, it } from 'vitest';
import { MemoryTier } from '../../lib/engine/memory-tier.js';

const item = (name: string, byteSize: number) => ({ name, byteSize });

describe('a memory tier', () => {
  it('gives up what was unused longest, until all fits', () => {
    const tier = new MemoryTier<{ name: string; byteSize: number }>(100);
    const [a, b, c] = [item('a', 40), item('b', 40), item('c', 10)];
    expect([a, b, c].flatMap((one) => tier.put(one))).toEqual([]);
    tier.touch(a);
    expect(tier.put(item('d', 50))).toEqual([b]);
    expect(tier.bytes).toBe(100);
    expect(tier.items().map(({ name }) => name)).toEqual(['c', 'a', 'd']);
    expect(tier.has(a)).toBe(true);
    expect(tier.has(b)).toBe(false);
  });

  it('gives back what is larger than everything, and keeps the rest', () => {
    const tier = new MemoryTier<{ name: string; byteSize: number }>(100);
    const small = item('small', 10);
    const large = item('large', 101);
    tier.put(small);
    expect(tier.put(large)).toEqual([large]);
    expect(tier.items()).toEqual([small]);
  });

  it('counts an item once, and not after it was taken out', () => {
    const tier = new MemoryTier<{ name: string; byteSize: number }>(100);
    const one = item('one', 60);
    tier.put(one);
    tier.put(one);
    expect(tier.bytes).toBe(60);
    tier.delete(one);
    tier.delete(one);
    expect([tier.bytes, tier.size]).toEqual([0, 0]);
  });
});

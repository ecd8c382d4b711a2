import { describe, expect, it } from 'vitest';
import { answerSeeds } from '../../lib/generate/seeds.js';

describe('the seeds of several answers', () => {
  it('begin with the given one, all differ, and come again', () => {
    for (const seed of [0, 1, 42, 0xffffffff]) {
      const seeds = answerSeeds(seed, 256);
      expect(seeds[0]).toBe(seed);
      expect(new Set(seeds).size).toBe(256);
      expect(answerSeeds(seed, 256)).toEqual(seeds);
      for (const each of seeds) expect(Number.isInteger(each) && each >= 0 && each <= 0xffffffff).toBe(true);
    }
  });

  it('of neighbouring numbers have nothing in common', () => {
    const others = new Set(answerSeeds(8, 256));
    expect(answerSeeds(7, 256).filter((seed) => others.has(seed))).toEqual([]);
  });

  it('are new ones each time if none is given', () => {
    expect(answerSeeds(undefined, 3)).not.toEqual(answerSeeds(undefined, 3));
  });
});

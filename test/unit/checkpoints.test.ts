import { describe, expect, it } from 'vitest';
import { CheckpointPolicy } from '../../lib/engine/checkpoints.js';
import { RestoreCosts } from '../../lib/engine/restore-costs.js';

function some(count: number, seed: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => seed * 1_000_000 + index);
}

describe('checkpoints of a prompt', () => {
  it('are one near its end, for what is told apart by its last tokens', () => {
    expect(new CheckpointPolicy().choose(some(300, 1), 0, 4)).toEqual([292]);
    expect(new CheckpointPolicy().choose(some(60, 1), 0, 4)).toEqual([]);
  });

  it('are where an earlier prompt branches off', () => {
    const policy = new CheckpointPolicy();
    policy.choose(some(300, 1), 0, 4);
    const other = Int32Array.from([...some(200, 1), ...some(100, 2)]);
    expect(policy.choose(other, 0, 4)).toEqual([200, 292]);
  });

  it('lie at the same places in prompts that begin alike, and only beyond what is cached', () => {
    const policy = new CheckpointPolicy();
    expect(policy.choose(some(3500, 1), 0, 4)).toEqual([1024, 2048, 3072, 3492]);
    expect(policy.choose(some(3600, 1), 2500, 4)).toEqual([3072, 3500, 3592]);
  });

  it('are as many as there is room for', () => {
    const policy = new CheckpointPolicy();
    expect(policy.choose(some(10_000, 1), 0, 100)).toHaveLength(1 + 4);
    expect(policy.choose(some(10_000, 2), 0, 2)).toEqual([8192, 9992]);
    expect(policy.choose(some(10_000, 3), 0, 0)).toEqual([9992]);
  });
});

describe('restoring', () => {
  it('pays where the tokens would take longer to evaluate', () => {
    const costs = new RestoreCosts();
    costs.evaluated(100, 100); // a millisecond a token
    expect(costs.pays(100, 10e6, false)).toBe(true);
    expect(costs.pays(100, 200e6, false)).toBe(false);
    expect(costs.pays(10, 1, false)).toBe(false);
  });

  it('from the disk pays as fast as the disk is', () => {
    const costs = new RestoreCosts();
    costs.evaluated(100, 100);
    expect(costs.pays(100, 20e6, true)).toBe(true);
    costs.read(1e6, 1000);
    costs.read(1e6, 1000);
    expect(costs.pays(100, 20e6, true)).toBe(false);
  });
});

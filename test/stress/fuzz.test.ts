import { describe, expect, it } from 'vitest';
import { Campaign } from '../../scripts/fuzz/campaign.js';
import { fuzzKinds } from '../../scripts/fuzz/kinds/index.js';
import { parseOptions } from '../../scripts/fuzz/options.js';

const seed = 2026;
const count = 150;

describe('the fuzzer', () => {
  it.each(fuzzKinds)(
    'finds no input of the kind $name that crashes or hangs an engine',
    async (kind) => {
      const tally = await new Campaign(kind, { seed, count }).run();
      expect([...tally.signatures.keys()]).toEqual([]);
      expect(tally.inputs).toBe(count);
      // If all were refused, or none, the mutations would be of no use.
      expect(tally.accepted).toBeGreaterThan(count / 50);
      expect(tally.refusals).toBeGreaterThan(count / 10);
    },
    120_000,
  );

  it('makes the same inputs of the same seed', async () => {
    const made: number[] = [];
    for (let round = 0; round < 2; round++) {
      const kind = fuzzKinds.find(({ name }) => name === 'schema');
      const tally = kind && (await new Campaign(kind, { seed: 5, count: 40, first: 100 }).run());
      made.push(tally?.accepted ?? 0);
    }
    expect(made[0]).toBe(made[1]);
  });

  it('refuses kinds that it does not know, and numbers that are none', () => {
    const known = ['gguf', 'state'];
    expect(parseOptions(['--kind', 'state', '--count', '7'], known)).toMatchObject({
      kinds: ['state'],
      count: 7,
    });
    expect(parseOptions([], known).kinds).toEqual(known);
    expect(() => parseOptions(['--kind', 'gif'], known)).toThrow('no kind "gif". Known are: gguf, state');
    expect(() => parseOptions(['--count', 'many'], known)).toThrow('a whole number from 1');
  });
});

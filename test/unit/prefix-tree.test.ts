import { describe, expect, it } from 'vitest';
import { PrefixTree } from '../../lib/engine/prefix-tree.js';
import { commonPrefixLength } from '../../lib/engine/token-list.js';

describe('the common prefix of two token lists', () => {
  it.each([
    [[1, 2, 3], [1, 2, 4], 2],
    [[1, 2], [1, 2, 3], 2],
    [[], [1], 0],
    [[2], [1], 0],
  ])('of %j and %j has length %i', (a, b, length) => {
    expect(commonPrefixLength(a, b)).toBe(length);
  });
});

describe('a prefix tree', () => {
  it('finds the longest prefix that any sequence holds, and all that hold it', () => {
    const tree = new PrefixTree();
    tree.set(0, [1, 2, 3, 4]);
    tree.set(1, [1, 2, 3, 9]);
    tree.set(2, [7]);
    expect(tree.longestPrefix([1, 2, 3, 4, 5])).toEqual({ length: 4, sequences: new Set([0]) });
    expect(tree.longestPrefix([1, 2, 3, 5])).toEqual({ length: 3, sequences: new Set([0, 1]) });
    expect(tree.longestPrefix([1, 5])).toEqual({ length: 1, sequences: new Set([0, 1]) });
    expect(tree.longestPrefix([8]).length).toBe(0);
    expect(tree.longestPrefix([]).length).toBe(0);
  });

  it('finds what is held wholly as a beginning of a prompt', () => {
    const tree = new PrefixTree();
    tree.set(0, [1, 2, 3, 4]);
    tree.set(1, [1, 2]);
    tree.set(2, [1, 2, 9]);
    tree.set(3, [1, 2]);
    const at = (length: number, ...sequences: number[]) =>
      sequences.map((sequence) => ({ sequence, length }));
    expect(tree.wholePrefixes([1, 2, 3, 4, 5])).toEqual([...at(2, 1, 3), ...at(4, 0)]);
    expect(tree.wholePrefixes([1, 2, 3])).toEqual(at(2, 1, 3));
    expect(tree.wholePrefixes([1])).toEqual([]);
  });

  it('counts shared tokens once', () => {
    const tree = new PrefixTree();
    tree.set(0, [1, 2, 3, 4]);
    tree.set(1, [1, 2, 3, 9]);
    expect(tree.size).toBe(5);
  });

  it('forgets a sequence without harm to those that share with it', () => {
    const tree = new PrefixTree();
    tree.set(0, [1, 2, 3, 4]);
    tree.set(1, [1, 2]);
    tree.delete(0);
    expect(tree.longestPrefix([1, 2, 3, 4])).toEqual({ length: 2, sequences: new Set([1]) });
    tree.set(1, []);
    expect(tree.size).toBe(0);
  });

  it('agrees with a plain search over hundreds of random changes', () => {
    let state = 12345;
    const random = (limit: number) => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state % limit;
    };
    const list = () => Array.from({ length: random(12) }, () => random(3));
    const tree = new PrefixTree();
    const plain = new Map<number, number[]>();
    for (let step = 0; step < 2000; step++) {
      const sequence = random(8);
      const tokens = list();
      if (random(4) === 0) {
        tree.delete(sequence);
        plain.delete(sequence);
      } else {
        tree.set(sequence, tokens);
        plain.set(sequence, tokens);
      }
      const prompt = list();
      const lengths = [...plain].map(([id, held]) => [id, commonPrefixLength(held, prompt)] as const);
      const longest = Math.max(0, ...lengths.map(([, length]) => length));
      const holders = lengths.filter(([, length]) => length === longest && longest > 0).map(([id]) => id);
      const found = tree.longestPrefix(prompt);
      expect(found.length).toBe(longest);
      expect([...found.sequences].sort()).toEqual(holders.sort());
      expect([...tree.get(sequence)]).toEqual(plain.get(sequence) ?? []);
      const whole = [...plain]
        .filter(([, held]) => held.length > 0 && commonPrefixLength(held, prompt) === held.length)
        .map(([id]) => id);
      expect(
        tree
          .wholePrefixes(prompt)
          .map((one) => one.sequence)
          .sort(),
      ).toEqual(whole.sort());
    }
  });
});

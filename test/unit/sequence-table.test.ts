import { describe, expect, it } from 'vitest';
import { type HeldPrefix, SequenceTable } from '../../lib/engine/sequence-table.js';

function table(
  options: { sequences?: number; running?: number; contextSize?: number; canShare?: boolean } = {},
) {
  const created = new SequenceTable({
    sequences: 4,
    running: 2,
    contextSize: 100,
    canShare: true,
    ...options,
  });
  return {
    created,
    /** A finished generation that left these tokens; returns its sequence. */
    used(sequence: number, tokens: number[]) {
      created.start(sequence, tokens);
      created.finish(sequence, tokens);
    },
  };
}

const prompt = [1, 2, 3, 4, 5, 6];

function idsOf(held: readonly HeldPrefix[]): number[] {
  return held.map(({ sequence }) => sequence);
}

describe('placing a prompt', () => {
  it('continues in the idle sequence that already holds its beginning', () => {
    const { created, used } = table();
    used(1, [1, 2, 3, 4]);
    expect(created.place(prompt)).toEqual({ sequence: 1, cachedSequence: 1, cachedTokens: 4 });
  });

  it('takes an empty sequence before it gives up what another holds', () => {
    const { created, used } = table();
    used(0, [9]);
    expect(created.place(prompt)).toMatchObject({ sequence: 1, cachedTokens: 0 });
  });

  it('takes the one unused longest when all hold something else', () => {
    const { created, used } = table({ sequences: 3 });
    for (const sequence of [2, 0, 1]) used(sequence, [90 + sequence]);
    expect(created.place(prompt)).toMatchObject({ sequence: 2, cachedTokens: 0 });
  });

  it('shares the prefix of a running sequence, which goes on undisturbed', () => {
    const { created } = table();
    const long = Array.from({ length: 40 }, (_, n) => n);
    created.start(0, [...long, 7]);
    expect(created.place([...long, 8])).toEqual({ sequence: 1, cachedSequence: 0, cachedTokens: 40 });
  });

  it('does not wait for a running sequence for the sake of a few tokens', () => {
    const { created } = table();
    created.start(0, [1, 2, 3, 4, 7]);
    expect(created.place(prompt)).toEqual({ sequence: 1, cachedSequence: 1, cachedTokens: 0 });
  });

  it('leaves a long other conversation alone and shares its beginning elsewhere', () => {
    const { created, used } = table();
    used(0, [1, 2, 9, 9, 9, 9, 9, 9]);
    expect(created.place(prompt)).toEqual({ sequence: 1, cachedSequence: 0, cachedTokens: 2 });
  });

  it('cuts that conversation when there is no other sequence', () => {
    const { created, used } = table({ sequences: 1, running: 1 });
    used(0, [1, 2, 9, 9, 9, 9, 9, 9]);
    expect(created.place(prompt)).toEqual({ sequence: 0, cachedSequence: 0, cachedTokens: 2 });
  });

  it('waits while as many run as may', () => {
    const { created } = table();
    created.start(0, [1]);
    created.start(1, [2]);
    expect(created.place(prompt)).toBeUndefined();
  });
});

describe('models whose memory is a state', () => {
  it('continue only from exactly what a sequence holds', () => {
    const { created, used } = table({ canShare: false });
    used(1, [1, 2, 3]);
    expect(created.place(prompt)).toEqual({ sequence: 1, cachedSequence: 1, cachedTokens: 3 });
    used(1, [1, 2, 3, 9]);
    expect(created.place(prompt)).toMatchObject({ cachedTokens: 0 });
  });

  it('prefer a shorter one that is wholly theirs to a longer one that goes elsewhere', () => {
    const { created, used } = table({ canShare: false });
    used(1, [1, 2, 3, 9]);
    used(0, [1, 2]);
    expect(created.place(prompt)).toEqual({ sequence: 0, cachedSequence: 0, cachedTokens: 2 });
  });

  it('leave a token to evaluate, for its logits', () => {
    const { created, used } = table({ canShare: false });
    used(1, prompt);
    expect(created.place(prompt)).toMatchObject({ sequence: 0, cachedTokens: 0 });
  });

  it('never share with a running sequence', () => {
    const { created } = table({ canShare: false });
    created.start(0, [1, 2, 3]);
    expect(created.place(prompt)).toMatchObject({ sequence: 1, cachedSequence: 1, cachedTokens: 0 });
  });
});

describe('giving up prefixes', () => {
  it('begins with those unused longest and never touches running ones', () => {
    const { created, used } = table();
    for (const sequence of [3, 1, 2]) used(sequence, [sequence]);
    created.start(0, [7]);
    expect(idsOf(created.evictable())).toEqual([3, 1, 2]);
    created.evicted(1);
    expect(idsOf(created.evictable())).toEqual([3, 2]);
    created.evicted(0);
    expect(created.residentTokens).toBe(3);
  });

  it('keeps cold prefixes within three quarters of the cache, and always the last one', () => {
    const { created, used } = table({ contextSize: 100 });
    const tokens = (first: number, count: number) => Array.from({ length: count }, (_, n) => first + n);
    used(0, tokens(1000, 30));
    used(1, tokens(2000, 30));
    used(2, tokens(3000, 30));
    expect(idsOf(created.takeExcess())).toEqual([0]);
    expect(created.takeExcess()).toEqual([]);
    used(3, tokens(4000, 95));
    expect(idsOf(created.takeExcess())).toEqual([1, 2]);
    expect(created.residentTokens).toBe(95);
  });
});

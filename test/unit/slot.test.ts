import { describe, expect, it } from 'vitest';
import { commonPrefixLength, placePrompt, type Slot } from '../../lib/engine/slot.js';

function slot(sequence: number, tokens: number[], options: { busy?: boolean; lastUsed?: number } = {}): Slot {
  return { sequence, tokens, busy: options.busy ?? false, lastUsed: options.lastUsed ?? sequence };
}

const prompt = Int32Array.of(1, 2, 3, 4, 5, 6);

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

describe('placing a prompt', () => {
  it('continues in the free sequence that already holds its beginning', () => {
    const slots = [slot(0, [1, 2, 3, 4]), slot(1, [9, 9])];
    expect(placePrompt(slots, prompt, true)).toEqual({ slot: slots[0], cachedSequence: 0, cachedTokens: 4 });
  });

  it('takes the sequence unused longest when none holds any of it', () => {
    const slots = [
      slot(0, [9], { lastUsed: 5 }),
      slot(1, [8], { lastUsed: 2 }),
      slot(2, [7], { lastUsed: 9 }),
    ];
    expect(placePrompt(slots, prompt, true)).toEqual({ slot: slots[1], cachedSequence: 1, cachedTokens: 0 });
  });

  it('shares the prefix of a busy sequence, which goes on undisturbed', () => {
    const slots = [slot(0, [1, 2, 3, 4, 7], { busy: true }), slot(1, [1])];
    expect(placePrompt(slots, prompt, true)).toEqual({ slot: slots[1], cachedSequence: 0, cachedTokens: 4 });
  });

  it('leaves a long other conversation alone and shares its beginning elsewhere', () => {
    const slots = [slot(0, [1, 2, 9, 9, 9, 9, 9, 9], { lastUsed: 7 }), slot(1, [])];
    expect(placePrompt(slots, prompt, true)).toEqual({ slot: slots[1], cachedSequence: 0, cachedTokens: 2 });
  });

  it('shares nothing with models whose memory is a state', () => {
    const slots = [slot(0, [1, 2, 3, 4], { busy: true }), slot(1, [8])];
    expect(placePrompt(slots, prompt, false)).toEqual({ slot: slots[1], cachedSequence: 1, cachedTokens: 0 });
  });

  it('waits while all sequences are busy', () => {
    expect(placePrompt([slot(0, [1], { busy: true })], prompt, true)).toBeUndefined();
  });
});

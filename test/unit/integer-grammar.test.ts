import { describe, expect, it } from 'vitest';
import { type IntegerBounds, integerExpression } from '../../lib/generate/integer-grammar.js';

/** The expression as JavaScript reads it: literals lose their quotes, and white space goes. */
function toRegex(expression: string): RegExp {
  return new RegExp(`^${expression.replaceAll(/[" ]/g, '')}$`);
}

describe('a grammar of whole numbers', () => {
  it.each<[IntegerBounds]>([
    [{ minimum: 0, maximum: 9 }],
    [{ minimum: 1, maximum: 30 }],
    [{ minimum: -3, maximum: 105 }],
    [{ minimum: -1100, maximum: -99 }],
    [{ minimum: 17, maximum: 17 }],
    [{ exclusiveMinimum: -1, exclusiveMaximum: 1000 }],
    [{ minimum: 0.5, maximum: 99.5 }],
    [{ minimum: 250 }],
    [{ exclusiveMaximum: -7 }],
    [{}],
  ])('within %j admits those and no others', (bounds) => {
    const regex = toRegex(integerExpression(bounds) ?? '');
    const { minimum: least = -1e9, maximum: most = 1e9 } = bounds;
    const { exclusiveMinimum: above = -1e9, exclusiveMaximum: below = 1e9 } = bounds;
    for (let value = -1300; value <= 1300; value++) {
      const fits = value >= least && value <= most && value > above && value < below;
      expect(regex.test(String(value)), String(value)).toBe(fits);
    }
    expect('00 01 -0 +1 1.0'.split(' ').filter((text) => regex.test(text))).toEqual([]);
  });

  it('is none where nothing is within the bounds', () => {
    expect(integerExpression({ minimum: 2, maximum: 1 })).toBeUndefined();
    expect(integerExpression({ exclusiveMinimum: 1, exclusiveMaximum: 2 })).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import {
  checkGenerateOptions,
  checkSamplingOptions,
  toNativeLogprobs,
  toNativeSampling,
} from '../../lib/generate/check-options.js';
import type { SamplingOptions } from '../../lib/index.js';

/** For each numeric option: the ends of its range, and whether it is a whole number. */
const ranges: readonly [name: keyof SamplingOptions, lowest: number, highest: number, whole: boolean][] = [
  ['temperature', 0, 100, false],
  ['dynamicTemperatureRange', 0, 100, false],
  ['dynamicTemperatureExponent', 0, 100, false],
  ['topK', 0, 2147483647, true],
  ['topP', 0, 1, false],
  ['minP', 0, 1, false],
  ['typicalP', 0, 1, false],
  ['topNSigma', 0, 100, false],
  ['xtcProbability', 0, 1, false],
  ['xtcThreshold', 0, 1, false],
  ['minKeep', 0, 2147483647, true],
  ['repeatPenalty', 0.001, 100, false],
  ['repeatLastTokens', 0, 1048576, true],
  ['frequencyPenalty', -100, 100, false],
  ['presencePenalty', -100, 100, false],
  ['dryMultiplier', 0, 100, false],
  ['dryBase', 1, 100, false],
  ['dryAllowedLength', 0, 1048576, true],
  ['dryLastTokens', 0, 1048576, true],
  ['mirostatTau', 0, 20, false],
  ['mirostatEta', 0, 1, false],
  ['adaptiveTarget', 0, 1, false],
  ['adaptiveDecay', 0, 0.99, false],
  ['seed', 0, 4294967295, true],
];

function check(options: object): void {
  checkSamplingOptions(options as SamplingOptions);
}

describe.each(ranges)('the option %s', (name, lowest, highest, whole) => {
  it(`takes numbers from ${lowest} to ${highest}`, () => {
    for (const value of [lowest, highest, undefined]) expect(() => check({ [name]: value })).not.toThrow();
  });

  it('refuses anything else, saying what was expected and what was received', () => {
    const wrong = [lowest - 1, highest + 1, Number.NaN, Number.POSITIVE_INFINITY, '1', null, true, [1], {}];
    for (const value of whole ? [...wrong, lowest + 0.5] : wrong) {
      expect(() => check({ [name]: value })).toThrow(
        new RegExp(`^Expected a .*number from ${lowest} to ${highest} for ${name}; received `),
      );
    }
  });

  it('is passed on to the addon', () => {
    expect(toNativeSampling({ [name]: highest })).toMatchObject({ [name]: highest });
  });
});

describe('the option mirostat', () => {
  it('takes the versions 0, 1 and 2', () => {
    for (const mirostat of [0, 1, 2]) expect(() => check({ mirostat })).not.toThrow();
  });

  it('refuses other values', () => {
    for (const mirostat of [-1, 3, 1.5, '1', null, Number.NaN]) {
      expect(() => check({ mirostat })).toThrow('Expected 0, 1 or 2 for mirostat; received');
    }
  });
});

describe('the option drySequenceBreakers', () => {
  it('takes up to 16 texts of up to 40 bytes', () => {
    check({ drySequenceBreakers: [] });
    check({ drySequenceBreakers: Array(16).fill('x'.repeat(40)) });
  });

  it('refuses empty and long texts, too many of them, and other types', () => {
    for (const drySequenceBreakers of [
      '\n',
      [1],
      [''],
      ['x'.repeat(41)],
      ['é'.repeat(21)],
      Array(17).fill('x'),
      {},
      null,
    ]) {
      expect(() => check({ drySequenceBreakers })).toThrow(/^Expected .* for drySequenceBreakers; received/);
    }
  });
});

describe('the option logitBias', () => {
  it('takes an object or a Map, and reaches the addon as two arrays', () => {
    for (const logitBias of [
      { 5: 1.5, 7: 'never', 9: Number.NEGATIVE_INFINITY },
      new Map<number, number | 'never'>([
        [5, 1.5],
        [7, 'never'],
        [9, Number.NEGATIVE_INFINITY],
      ]),
    ] as const) {
      const native = toNativeSampling({ logitBias });
      expect(native.logitBiasTokens).toEqual(Int32Array.of(5, 7, 9));
      expect(native.logitBiasValues).toEqual(
        Float32Array.of(1.5, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY),
      );
      expect(native).not.toHaveProperty('logitBias');
    }
  });

  it('refuses keys that are no token ids', () => {
    for (const key of ['a', '-1', '1.5', '4294967296', '', ' 1', '1e3']) {
      expect(() => check({ logitBias: { [key]: 1 } })).toThrow('Expected a token id');
    }
    expect(() =>
      check({
        logitBias: new Map([
          ['5', 1],
          [Number.NaN, 1],
        ] as never),
      }),
    ).toThrow('Expected a token id');
  });

  it('refuses values out of range', () => {
    for (const value of [101, -101, Number.NaN, Number.POSITIVE_INFINITY, 'always', null, undefined, true]) {
      expect(() => check({ logitBias: { 5: value } })).toThrow(
        "Expected a number from -100 to 100, -Infinity or 'never' for a value of logitBias; received",
      );
    }
  });

  it('refuses other types', () => {
    for (const logitBias of [[1], 5, 'x', null, true]) {
      expect(() => check({ logitBias })).toThrow('Expected an object or a Map from token ids to numbers');
    }
  });
});

describe('the option logprobs', () => {
  it('takes a boolean or a number of alternatives', () => {
    for (const logprobs of [true, false, 0, 20, undefined])
      checkGenerateOptions({ ...(logprobs !== undefined && { logprobs }) });
    expect([undefined, false, true, 0, 20].map((value) => toNativeLogprobs(value))).toEqual([
      -1, -1, 0, 0, 20,
    ]);
  });

  it('refuses anything else', () => {
    for (const logprobs of [-1, 21, 1.5, Number.NaN, '5', null]) {
      expect(() => checkGenerateOptions({ logprobs } as object)).toThrow(
        'Expected true, false or a whole number from 0 to 20 for logprobs; received',
      );
    }
  });

  it('is no option of a sampler', () => {
    expect(() => check({ logprobs: true })).toThrow('Unknown option logprobs');
  });
});

describe('sampling options', () => {
  it('that are misspelt are refused', () => {
    expect(() => check({ topk: 5 })).toThrow('Unknown option topk in sampling options');
  });

  it('get a seed if none is given', () => {
    const seeds = new Set(Array.from({ length: 8 }, () => toNativeSampling({}).seed));
    expect(seeds.size).toBeGreaterThan(1);
  });
});

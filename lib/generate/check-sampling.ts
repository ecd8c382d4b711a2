import { checkInteger, checkNumber, invalidArgument } from '../arguments.js';
import type { LogitBias, SamplingOptions } from './sampling-options.js';

const largestInteger = 0x7fffffff;

/** Longest stretch of earlier tokens that penalties and DRY may look back at; the addon has the same limit. */
const longestMemory = 1 << 20;

interface Range {
  readonly lowest: number;
  readonly highest: number;
  readonly whole?: true;
}

type NumericOption = Exclude<keyof SamplingOptions, 'logitBias' | 'drySequenceBreakers' | 'mirostat'>;

const ranges: Readonly<Record<NumericOption, Range>> = {
  temperature: { lowest: 0, highest: 100 },
  dynamicTemperatureRange: { lowest: 0, highest: 100 },
  dynamicTemperatureExponent: { lowest: 0, highest: 100 },
  topK: { lowest: 0, highest: largestInteger, whole: true },
  topP: { lowest: 0, highest: 1 },
  minP: { lowest: 0, highest: 1 },
  typicalP: { lowest: 0, highest: 1 },
  topNSigma: { lowest: 0, highest: 100 },
  xtcProbability: { lowest: 0, highest: 1 },
  xtcThreshold: { lowest: 0, highest: 1 },
  minKeep: { lowest: 0, highest: largestInteger, whole: true },
  repeatPenalty: { lowest: 0.001, highest: 100 },
  repeatLastTokens: { lowest: 0, highest: longestMemory, whole: true },
  frequencyPenalty: { lowest: -100, highest: 100 },
  presencePenalty: { lowest: -100, highest: 100 },
  dryMultiplier: { lowest: 0, highest: 100 },
  dryBase: { lowest: 1, highest: 100 },
  dryAllowedLength: { lowest: 0, highest: longestMemory, whole: true },
  dryLastTokens: { lowest: 0, highest: longestMemory, whole: true },
  mirostatTau: { lowest: 0, highest: 20 },
  mirostatEta: { lowest: 0, highest: 1 },
  adaptiveTarget: { lowest: 0, highest: 1 },
  adaptiveDecay: { lowest: 0, highest: 0.99 },
  seed: { lowest: 0, highest: 0xffffffff, whole: true },
};

const numericOptions = Object.keys(ranges) as NumericOption[];

/** The names of all sampling options. */
export const samplingKeys: readonly string[] = [
  ...numericOptions,
  'mirostat',
  'drySequenceBreakers',
  'logitBias',
];

function checkMirostat(version: SamplingOptions['mirostat']): void {
  if (version === undefined || version === 0 || version === 1 || version === 2) return;
  throw invalidArgument('mirostat', '0, 1 or 2', version);
}

function checkSequenceBreakers(breakers: SamplingOptions['drySequenceBreakers']): void {
  if (breakers === undefined) return;
  const name = 'drySequenceBreakers';
  if (!Array.isArray(breakers)) throw invalidArgument(name, 'an array of texts', breakers);
  if (breakers.length > 16) throw invalidArgument(name, 'at most 16 texts', breakers);
  for (const text of breakers as readonly unknown[]) {
    if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > 40) {
      throw invalidArgument(name, 'texts of 1 to 40 bytes', text);
    }
  }
}

/** The biases by token, each checked. */
export function readLogitBias(option: SamplingOptions['logitBias']): [token: number, bias: number][] {
  if (option === undefined) return [];
  const plain = typeof option === 'object' && option !== null && !Array.isArray(option);
  if (!plain) throw invalidArgument('logitBias', 'an object or a Map from token ids to numbers', option);
  const entries: readonly (readonly [unknown, unknown])[] =
    option instanceof Map ? [...option] : Object.entries(option);
  return entries.map(([key, value]) => [readToken(key), readBias(value as LogitBias)]);
}

function readToken(key: unknown): number {
  const token = typeof key === 'string' && /^\d{1,10}$/.test(key) ? Number(key) : key;
  if (typeof token === 'number' && Number.isInteger(token) && token >= 0 && token <= largestInteger) {
    return token;
  }
  throw invalidArgument('a key of logitBias', 'a token id (a whole number from 0)', key);
}

function readBias(value: LogitBias): number {
  if (value === 'never' || value === Number.NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY;
  if (typeof value === 'number' && value >= -100 && value <= 100) return value;
  throw invalidArgument('a value of logitBias', "a number from -100 to 100, -Infinity or 'never'", value);
}

/**
 * Checks the values of sampling options, not their names.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkSamplingValues(options: SamplingOptions): void {
  for (const name of numericOptions) {
    const { lowest, highest, whole } = ranges[name];
    const check = whole === true ? checkInteger : checkNumber;
    check(name, options[name], lowest, highest);
  }
  checkMirostat(options.mirostat);
  checkSequenceBreakers(options.drySequenceBreakers);
  readLogitBias(options.logitBias);
}

import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkSignal,
  invalidArgument,
} from '../arguments.js';
import type { NativeSamplingOptions } from '../native/addon.js';
import { checkSamplingValues, readLogitBias, samplingKeys } from './check-sampling.js';
import { checkConstraint, toNativeConstraint } from './constraint.js';
import type { SamplingOptions } from './sampling-options.js';
import { drawSeed } from './seeds.js';
import type { GenerateManyOptions, GenerateOptions } from './types.js';

/** The names of the options of a generation. */
export const generateKeys: readonly string[] = [
  ...samplingKeys,
  'maxTokens',
  'stop',
  'ignoreEndOfSequence',
  'addSpecial',
  'parseSpecial',
  'contextFull',
  'keepTokens',
  'priority',
  'logprobs',
  'speculative',
  'grammar',
  'jsonSchema',
  'regex',
  'choice',
  'logitsProcessor',
  'onStart',
  'signal',
];

function checkStop(stop: GenerateOptions['stop']): void {
  if (stop === undefined) return;
  const stops: readonly unknown[] = Array.isArray(stop) ? stop : [stop];
  for (const text of stops) {
    if (typeof text !== 'string' || text === '')
      throw invalidArgument('stop', 'texts of at least one character', text);
  }
  if (stops.length > 64) throw invalidArgument('stop', 'at most 64 texts', stop);
}

/**
 * Checks the options of a low-level sampler.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkSamplingOptions(options: SamplingOptions): void {
  checkKeys('sampling options', options, samplingKeys);
  checkSamplingValues(options);
}

function checkContextFull(policy: GenerateOptions['contextFull']): void {
  if (policy === undefined || policy === 'stop' || policy === 'error' || policy === 'shift') return;
  throw invalidArgument('contextFull', "'stop', 'error' or 'shift'", policy);
}

function checkLogprobs(value: GenerateOptions['logprobs']): void {
  if (value === undefined || typeof value === 'boolean') return;
  if (Number.isInteger(value) && value >= 0 && value <= 20) return;
  throw invalidArgument('logprobs', 'true, false or a whole number from 0 to 20', value);
}

/**
 * Checks the options of a generation.
 * @throws InvalidArgumentError naming the option, what was expected and what was received; INVALID_SCHEMA, INVALID_REGEX.
 */
export function checkGenerateOptions(options: GenerateOptions): void {
  checkKeys('options', options, generateKeys);
  checkSamplingValues(options);
  checkInteger('maxTokens', options.maxTokens, 1, 0x7fffffff);
  checkStop(options.stop);
  checkBoolean('ignoreEndOfSequence', options.ignoreEndOfSequence);
  checkBoolean('speculative', options.speculative);
  checkBoolean('addSpecial', options.addSpecial);
  checkBoolean('parseSpecial', options.parseSpecial);
  checkContextFull(options.contextFull);
  checkInteger('keepTokens', options.keepTokens, 0, 0x7fffffff);
  checkInteger('priority', options.priority, -1000, 1000);
  checkLogprobs(options.logprobs);
  checkConstraint(options);
  checkFunction('logitsProcessor', options.logitsProcessor);
  checkFunction('onStart', options.onStart);
  checkSignal(options.signal);
}

/**
 * Checks the options of several answers to one prompt.
 * @throws InvalidArgumentError naming the option, what was expected and what was received; INVALID_SCHEMA, INVALID_REGEX.
 */
export function checkGenerateManyOptions(options: GenerateManyOptions): GenerateManyOptions {
  checkKeys('options', options, ['n', ...generateKeys]);
  const { n, ...others } = options;
  if (n === undefined) throw invalidArgument('n', 'a whole number from 1 to 256', n);
  checkInteger('n', n, 1, 256);
  checkGenerateOptions(others);
  return options;
}

/** The sampling part of checked options, with a seed drawn if none was given. */
export function toNativeSampling(options: GenerateOptions): NativeSamplingOptions {
  const { logitBias, ...others } = options;
  const biases = readLogitBias(logitBias);
  return {
    ...Object.fromEntries(Object.entries(others).filter(([key]) => samplingKeys.includes(key))),
    ...(biases.length > 0 && {
      logitBiasTokens: Int32Array.from(biases, ([token]) => token),
      logitBiasValues: Float32Array.from(biases, ([, bias]) => bias),
    }),
    seed: options.seed ?? drawSeed(),
    ignoreEndOfSequence: options.ignoreEndOfSequence,
    ...toNativeConstraint(options),
  };
}

/** How many alternatives are reported with each token; −1 where no log-probabilities are. */
export function toNativeLogprobs(logprobs: GenerateOptions['logprobs'] = false): number {
  return typeof logprobs === 'boolean' ? (logprobs ? 0 : -1) : logprobs;
}

import {
  checkBoolean,
  checkInteger,
  checkKeys,
  checkNumber,
  checkSignal,
  invalidArgument,
} from '../arguments.js';
import type { NativeSamplingOptions } from '../native/addon.js';
import type { SamplingOptions } from './sampling-options.js';
import type { GenerateOptions } from './types.js';

const samplingKeys = [
  'temperature',
  'topK',
  'topP',
  'minP',
  'repeatPenalty',
  'repeatLastTokens',
  'frequencyPenalty',
  'presencePenalty',
  'seed',
];

const generateKeys = [
  ...samplingKeys,
  'maxTokens',
  'stop',
  'ignoreEndOfSequence',
  'addSpecial',
  'parseSpecial',
  'contextFull',
  'keepTokens',
  'priority',
  'signal',
];

function checkSamplingValues(options: SamplingOptions): void {
  checkNumber('temperature', options.temperature, 0, 100);
  checkInteger('topK', options.topK, 0, 0x7fffffff);
  checkNumber('topP', options.topP, 0, 1);
  checkNumber('minP', options.minP, 0, 1);
  checkNumber('repeatPenalty', options.repeatPenalty, 0.001, 100);
  checkInteger('repeatLastTokens', options.repeatLastTokens, 0, 1 << 20);
  checkNumber('frequencyPenalty', options.frequencyPenalty, -100, 100);
  checkNumber('presencePenalty', options.presencePenalty, -100, 100);
  checkInteger('seed', options.seed, 0, 0xffffffff);
}

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

/**
 * Checks the options of a generation.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkGenerateOptions(options: GenerateOptions): void {
  checkKeys('options', options, generateKeys);
  checkSamplingValues(options);
  checkInteger('maxTokens', options.maxTokens, 1, 0x7fffffff);
  checkStop(options.stop);
  checkBoolean('ignoreEndOfSequence', options.ignoreEndOfSequence);
  checkBoolean('addSpecial', options.addSpecial);
  checkBoolean('parseSpecial', options.parseSpecial);
  checkContextFull(options.contextFull);
  checkInteger('keepTokens', options.keepTokens, 0, 0x7fffffff);
  checkInteger('priority', options.priority, -1000, 1000);
  checkSignal(options.signal);
}

/** The sampling part of checked options, with a seed drawn if none was given. */
export function toNativeSampling(options: GenerateOptions): NativeSamplingOptions {
  return {
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    minP: options.minP,
    repeatPenalty: options.repeatPenalty,
    repeatLastTokens: options.repeatLastTokens,
    frequencyPenalty: options.frequencyPenalty,
    presencePenalty: options.presencePenalty,
    seed: options.seed ?? Math.floor(Math.random() * 0x100000000),
    ignoreEndOfSequence: options.ignoreEndOfSequence,
  };
}

import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkNumber,
  checkSignal,
  checkString,
  invalidArgument,
} from '../arguments.js';
import { createError } from '../errors.js';
import { findQuantizationType, type QuantizationTypeName } from '../quantize/quantization-types.js';
import type { CompareOptions } from './types.js';

const keys = [
  'text',
  'types',
  'files',
  'directory',
  'imatrix',
  'allowRequantize',
  'contextSize',
  'chunks',
  'rounds',
  'tolerance',
  'threads',
  'gpuLayers',
  'output',
  'overwrite',
  'onProgress',
  'signal',
];

/**
 * Checks the options of a comparison.
 * @returns the names of the types.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkCompareOptions(source: unknown, options: CompareOptions): QuantizationTypeName[] {
  if (typeof source !== 'string' || source === '')
    throw invalidArgument('model', 'a path, hf:owner/repo or URL', source);
  checkKeys('compare options', options, keys);
  const { text, types = [], files = [] } = options;
  if (typeof text !== 'string' || text === '')
    throw invalidArgument('text', 'a text that is not empty', text);
  for (const [name, list] of Object.entries({ types, files })) {
    const isList = Array.isArray(list) && list.every((item) => typeof item === 'string' && item !== '');
    if (!isList) throw invalidArgument(name, 'an array of strings', list);
  }
  if (types.length + files.length === 0) {
    const message =
      "Expected something to compare with the model: types, as in ['Q4_K_M', 'Q8_0'], or files.";
    throw createError('INVALID_ARGUMENT', message);
  }
  for (const name of ['directory', 'imatrix', 'output'] as const) checkString(name, options[name]);
  checkBoolean('allowRequantize', options.allowRequantize);
  checkBoolean('overwrite', options.overwrite);
  checkInteger('contextSize', options.contextSize, 16, 2 ** 20);
  checkInteger('chunks', options.chunks, 1, 0x7fffffff);
  checkInteger('rounds', options.rounds, 1, 100);
  checkNumber('tolerance', options.tolerance, 0, 100);
  checkInteger('threads', options.threads, 1, 512);
  if (options.gpuLayers !== 'max') checkInteger('gpuLayers', options.gpuLayers, 0, 100_000);
  checkFunction('onProgress', options.onProgress);
  checkSignal(options.signal);
  return [...new Set(types.map(toTypeName))];
}

function toTypeName(word: string): QuantizationTypeName {
  const type = findQuantizationType(word);
  if (type === undefined) throw invalidArgument('types', 'types that quantizationTypes lists', word);
  return type.name;
}

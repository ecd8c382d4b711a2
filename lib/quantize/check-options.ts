import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkSignal,
  checkString,
  invalidArgument,
} from '../arguments.js';
import { checkIsolateOptions } from '../isolate/index.js';
import {
  findQuantizationType,
  type QuantizationType,
  quantizationTypes,
  tensorTypeNames,
} from './quantization-types.js';
import type { QuantizeOptions } from './types.js';

const quantizeKeys = [
  'type',
  'imatrix',
  'tensorTypes',
  'pruneLayers',
  'threads',
  'dryRun',
  'allowRequantize',
  'leaveOutputTensor',
  'pure',
  'outputTensorType',
  'tokenEmbeddingType',
  'keepSplit',
  'isolate',
  'overwrite',
  'onProgress',
  'signal',
];

/**
 * Checks all that can be checked without the model.
 * @returns the type that most weights become.
 * @throws InvalidArgumentError naming the option.
 */
export function checkQuantizeOptions(options: QuantizeOptions): QuantizationType {
  checkKeys('options', options, quantizeKeys);
  const type = typeof options.type === 'string' ? findQuantizationType(options.type) : undefined;
  if (type === undefined) {
    throw invalidArgument(
      'type',
      `one of ${quantizationTypes.map(({ name }) => name).join(', ')}`,
      options.type,
    );
  }
  if (options.imatrix === '') throw invalidArgument('imatrix', 'the path of a file', options.imatrix);
  checkString('imatrix', options.imatrix);
  checkTensorTypes(options.tensorTypes);
  checkLayers(options.pruneLayers);
  checkInteger('threads', options.threads, 1, 512);
  checkTensorType('outputTensorType', options.outputTensorType);
  checkTensorType('tokenEmbeddingType', options.tokenEmbeddingType);
  for (const name of [
    'dryRun',
    'allowRequantize',
    'leaveOutputTensor',
    'pure',
    'keepSplit',
    'overwrite',
  ] as const)
    checkBoolean(name, options[name]);
  checkIsolateOptions(options.isolate);
  checkFunction('onProgress', options.onProgress);
  checkSignal(options.signal);
  return type;
}

function checkTensorType(name: string, value: unknown): void {
  if (value === undefined || tensorTypeNames.some((known) => known === value)) return;
  throw invalidArgument(name, `one of ${tensorTypeNames.join(', ')}`, value);
}

function checkTensorTypes(choices: QuantizeOptions['tensorTypes']): void {
  if (choices === undefined) return;
  if (typeof choices !== 'object' || choices === null)
    throw invalidArgument('tensorTypes', 'an object or an array', choices);
  if (!Array.isArray(choices)) {
    for (const [pattern, type] of Object.entries(choices)) {
      checkPattern(pattern);
      checkTensorType(`tensorTypes[${JSON.stringify(pattern)}]`, type);
    }
    return;
  }
  for (const [index, choice] of choices.entries()) {
    const name = `tensorTypes[${index}]`;
    checkKeys(name, choice, ['tensor', 'type']);
    if (!(choice.tensor instanceof RegExp) && (typeof choice.tensor !== 'string' || choice.tensor === ''))
      throw invalidArgument(`${name}.tensor`, 'the name of a tensor or a regular expression', choice.tensor);
    if (choice.type === undefined) throw invalidArgument(`${name}.type`, 'a type', choice.type);
    checkTensorType(`${name}.type`, choice.type);
  }
}

function checkPattern(pattern: string): void {
  try {
    new RegExp(pattern);
  } catch {
    throw invalidArgument('tensorTypes', 'regular expressions as its keys', pattern);
  }
}

function checkLayers(layers: readonly number[] | undefined): void {
  if (layers === undefined) return;
  if (!Array.isArray(layers)) throw invalidArgument('pruneLayers', 'an array of layer numbers', layers);
  for (const [index, layer] of layers.entries()) {
    if (layer === undefined) throw invalidArgument(`pruneLayers[${index}]`, 'a whole number', layer);
    checkInteger(`pruneLayers[${index}]`, layer, 0, 511);
  }
}

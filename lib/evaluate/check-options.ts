import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKeys,
  checkSignal,
  checkString,
  invalidArgument,
} from '../arguments.js';
import { createError } from '../errors.js';
import { Model } from '../model/model.js';
import type { EvaluationOptions, ImatrixOptions, PerplexityOptions } from './types.js';

export const defaultContextSize = 512;
/** Shorter ones tell nothing, and llama.cpp evaluates them in other ways. */
const leastContextSize = 16;
const mostContextSize = 2 ** 20;

const evaluationKeys = ['contextSize', 'chunks', 'overwrite', 'onProgress', 'signal'];
const perplexityKeys = [...evaluationKeys, 'stride', 'reference', 'saveLogProbabilities'];
const imatrixKeys = [...evaluationKeys, 'output', 'from', 'saveEvery', 'includeOutput', 'dataset'];

/** Checks a model and a text. */
export function checkSubject(model: unknown, text: unknown): void {
  if (!(model instanceof Model)) throw invalidArgument('model', 'a Model that loadModel gave', model);
  if (typeof text !== 'string') throw invalidArgument('text', 'a string', text);
  if (text === '')
    throw createError('INVALID_ARGUMENT', 'Expected a text to evaluate; received an empty one.');
}

function checkEvaluationOptions(options: EvaluationOptions & { overwrite?: boolean }): void {
  checkInteger('contextSize', options.contextSize, leastContextSize, mostContextSize);
  checkInteger('chunks', options.chunks, 1, 0x7fffffff);
  checkBoolean('overwrite', options.overwrite);
  checkFunction('onProgress', options.onProgress);
  checkSignal(options.signal);
}

/** @throws InvalidArgumentError naming the option, what was expected and what was received. */
export function checkPerplexityOptions(options: PerplexityOptions): void {
  checkKeys('perplexity options', options, perplexityKeys);
  checkEvaluationOptions(options);
  const { contextSize = defaultContextSize, stride, reference, saveLogProbabilities } = options;
  checkInteger('stride', stride, 1, contextSize - 1);
  checkPath('saveLogProbabilities', saveLogProbabilities);
  if (reference !== undefined && !(reference instanceof Model)) {
    if (typeof reference !== 'string' || reference === '')
      throw invalidArgument('reference', 'a Model or the path of a file of log-probabilities', reference);
  }
  const file = saveLogProbabilities !== undefined || typeof reference === 'string';
  if (stride !== undefined && file) {
    const message =
      'Files of log-probabilities know no stride. Leave stride out, or compare with a loaded model.';
    throw createError('INVALID_ARGUMENT', message);
  }
}

/** @throws InvalidArgumentError naming the option, what was expected and what was received. */
export function checkImatrixOptions(options: ImatrixOptions): void {
  checkKeys('imatrix options', options, imatrixKeys);
  checkEvaluationOptions(options);
  const { output, from = [], saveEvery, includeOutput, dataset } = options;
  if (output === undefined) throw invalidArgument('output', 'the path of a file to write', output);
  checkPath('output', output);
  for (const path of typeof from === 'string' ? [from] : from) checkPath('from', path);
  checkInteger('saveEvery', saveEvery, 0, 0x7fffffff);
  checkBoolean('includeOutput', includeOutput);
  checkString('dataset', dataset);
}

function checkPath(name: string, path: unknown): void {
  if (path === undefined) return;
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalidArgument(name, 'the path of a file', path);
}

/** Beyond what it was trained for, a model gives figures that say nothing, and one with learned positions none. */
export function checkTrainedSize(model: Model, contextSize: number): void {
  const { trainedContextSize } = model.metadata;
  if (trainedContextSize === 0 || contextSize <= trainedContextSize) return;
  throw createError(
    'INVALID_ARGUMENT',
    `Expected a contextSize of at most ${trainedContextSize}, which the model was trained for; received ${contextSize}.`,
    { details: { contextSize, trainedContextSize } },
  );
}

import { checkBoolean, checkFunction, checkKeys, checkSignal, invalidArgument } from '../arguments.js';
import type { EmbedOptions, Pooling, RankOptions } from './types.js';

const poolings: readonly Pooling[] = ['mean', 'cls', 'last', 'none'];

/**
 * Checks the options of a call.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkEmbedOptions(options: EmbedOptions): void {
  checkKeys('embed options', options, ['pooling', 'normalize', 'truncate', 'onProgress', 'signal']);
  const { pooling } = options;
  if (pooling !== undefined && !poolings.includes(pooling)) {
    throw invalidArgument('pooling', `one of ${poolings.join(', ')}`, pooling);
  }
  checkBoolean('normalize', options.normalize);
  checkBoolean('truncate', options.truncate);
  checkFunction('onProgress', options.onProgress);
  checkSignal(options.signal);
}

/** Checks the texts of a call, one or many. */
export function checkTexts(texts: unknown): asserts texts is string | readonly string[] {
  if (typeof texts === 'string') return;
  if (!Array.isArray(texts)) throw invalidArgument('texts', 'a string or an array of strings', texts);
  const wrong = texts.findIndex((text) => typeof text !== 'string');
  if (wrong !== -1) throw invalidArgument(`texts[${wrong}]`, 'a string', texts[wrong]);
}

/**
 * Checks the arguments of a ranking.
 * @throws InvalidArgumentError naming the argument, what was expected and what was received.
 */
export function checkRankArguments(query: unknown, documents: unknown, options: RankOptions): void {
  if (typeof query !== 'string') throw invalidArgument('query', 'a string', query);
  if (!Array.isArray(documents)) throw invalidArgument('documents', 'an array of strings', documents);
  const wrong = documents.findIndex((document) => typeof document !== 'string');
  if (wrong !== -1) throw invalidArgument(`documents[${wrong}]`, 'a string', documents[wrong]);
  checkKeys('rank options', options, ['onProgress', 'signal']);
  checkFunction('onProgress', options.onProgress);
  checkSignal(options.signal);
}

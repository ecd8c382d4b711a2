import { checkBoolean, checkKeys, invalidArgument, toTokenArray } from '../arguments.js';
import { addonOf, type ModelHandle } from '../native/addon.js';
import type { DetokenizeOptions, TokenizeOptions } from './types.js';

function checkedTokenizeOptions(options: TokenizeOptions): Required<TokenizeOptions> {
  checkKeys('tokenize options', options, ['addSpecial', 'parseSpecial']);
  const { addSpecial = true, parseSpecial = false } = options;
  checkBoolean('addSpecial', addSpecial);
  checkBoolean('parseSpecial', parseSpecial);
  return { addSpecial, parseSpecial };
}

/** The tokens of a text, or of each of several. */
export async function tokenizeTexts(
  model: ModelHandle,
  text: string | readonly string[],
  options: TokenizeOptions,
): Promise<Int32Array | Int32Array[]> {
  const { addSpecial, parseSpecial } = checkedTokenizeOptions(options);
  const texts: readonly string[] = typeof text === 'string' ? [text] : text;
  if (!Array.isArray(texts) || texts.some((one) => typeof one !== 'string')) {
    throw invalidArgument('text', 'a string or an array of strings', text);
  }
  const lists = await addonOf(model).tokenize(model, texts, addSpecial, parseSpecial);
  return typeof text === 'string' ? (lists[0] ?? new Int32Array()) : lists;
}

/** The tokens of a text, without waiting. @throws NOT_IN_PROCESS where the engine is in another process. */
export function tokenizeAtOnce(model: ModelHandle, text: string, options: TokenizeOptions): Int32Array {
  const { addSpecial, parseSpecial } = checkedTokenizeOptions(options);
  if (typeof text !== 'string') throw invalidArgument('text', 'a string', text);
  return addonOf(model).tokenizeSync(model, text, addSpecial, parseSpecial);
}

/** The text of a list of tokens, or of each of several. */
export async function detokenizeLists(
  model: ModelHandle,
  tokens: Int32Array | readonly number[] | readonly Int32Array[],
  options: DetokenizeOptions,
): Promise<string | string[]> {
  checkKeys('detokenize options', options, ['removeSpecial', 'renderSpecial']);
  const { removeSpecial = false, renderSpecial = false } = options;
  checkBoolean('removeSpecial', removeSpecial);
  checkBoolean('renderSpecial', renderSpecial);
  const many = Array.isArray(tokens) && tokens[0] instanceof Int32Array;
  const lists = many ? (tokens as Int32Array[]) : [toTokenArray('tokens', tokens as Int32Array | number[])];
  const texts = await addonOf(model).detokenize(model, lists, removeSpecial, renderSpecial);
  return many ? texts : (texts[0] ?? '');
}

import { createError } from '../errors.js';

/** What preparing texts needs to know of the model. */
export interface TextLimits {
  /** Most tokens of a text, special ones included. */
  readonly longest: number;
  /** Cut what is longer instead of refusing it. */
  readonly truncate: boolean;
  /** The tokens of an empty text: what the vocabulary puts around every text. */
  readonly specialTokens: Int32Array;
}

/**
 * Makes token lists fit.
 * @throws ContextError PROMPT_TOO_LONG for a text that does not fit, with its index.
 * @throws InvalidArgumentError for a text without any token.
 */
export function prepareTexts(lists: readonly Int32Array[], limits: TextLimits): Int32Array[] {
  return lists.map((tokens, index) => {
    if (tokens.length === 0) throw withoutTokens(index);
    if (tokens.length <= limits.longest) return tokens;
    if (!limits.truncate) throw tooLong(index, tokens.length, limits.longest);
    return truncate(tokens, limits);
  });
}

/** The special tokens that end a text stay, because the model was trained with them. */
function truncate(tokens: Int32Array, { longest, specialTokens }: TextLimits): Int32Array {
  const ending = Math.min(sharedEnding(tokens, specialTokens), longest - 1);
  const cut = tokens.slice(0, longest);
  cut.set(tokens.subarray(tokens.length - ending), longest - ending);
  return cut;
}

function sharedEnding(first: Int32Array, second: Int32Array): number {
  let length = 0;
  while (length < second.length && first.at(-1 - length) === second.at(-1 - length)) length++;
  return length;
}

function withoutTokens(index: number): Error {
  return createError(
    'INVALID_ARGUMENT',
    `Expected texts with at least one token; texts[${index}] has none. Leave out empty texts.`,
    { details: { index } },
  );
}

function tooLong(index: number, tokens: number, longest: number): Error {
  return createError(
    'PROMPT_TOO_LONG',
    `Expected texts of at most ${longest} tokens; texts[${index}] has ${tokens}. Split it, pass { truncate: true } ` +
      'to embed its beginning, or load the model with a larger contextSize if it was trained for one.',
    { details: { index, tokens, longest } },
  );
}

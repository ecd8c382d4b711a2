import { createError } from '../errors.js';
import type { Model } from '../model/model.js';

/** A text as it is evaluated: windows of equal length. */
export interface Windows {
  /** Of the whole text. */
  readonly tokens: Int32Array;
  readonly length: number;
  /** How far apart they begin. */
  readonly step: number;
  readonly count: number;
  /** The first token of a window whose successor is scored. */
  readonly first: number;
  /** Put the token that begins texts at the beginning of each, if the model has one. */
  readonly beginWithBos: boolean;
}

/** How a text is cut. */
export interface WindowOptions {
  readonly contextSize: number;
  readonly stride?: number | undefined;
  readonly chunks?: number | undefined;
}

/**
 * Cuts a text as llama-perplexity does. Without a stride the first half of each window is context only; with one, all but
 * its last `stride` tokens.
 * @throws INVALID_ARGUMENT for a text that is too short.
 */
export async function cutText(model: Model, text: string, options: WindowOptions): Promise<Windows> {
  const { contextSize: length, stride, chunks = Number.POSITIVE_INFINITY } = options;
  const tokens = await model.tokenize(text);
  // A window with a stride predicts the token that follows it in the next one, so it needs one more.
  const needed = stride === undefined ? length : length + 1;
  if (tokens.length < needed) {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected a text of at least ${needed} tokens, one chunk; received one of ${tokens.length}. Take a longer text, ` +
        'or a smaller contextSize.',
      { details: { tokens: tokens.length, neededTokens: needed } },
    );
  }
  if (stride === undefined) {
    const count = Math.min(Math.floor(tokens.length / length), chunks);
    return { tokens, length, step: length, count, first: Math.floor(length / 2), beginWithBos: true };
  }
  const count = Math.min(Math.ceil((tokens.length - length) / stride), chunks);
  return { tokens, length, step: stride, count, first: length - stride - 1, beginWithBos: false };
}

/** The tokens of some windows, one after the other. */
export function tokensOf(windows: Windows, from: number, count: number): Int32Array {
  const { tokens, length, step } = windows;
  if (step === length) return tokens.slice(from * step, (from + count) * step);
  const result = new Int32Array(count * length);
  for (let i = 0; i < count; i++) {
    const begin = (from + i) * step;
    result.set(tokens.subarray(begin, begin + length), i * length);
  }
  return result;
}

/** Tokens of a window whose prediction counts. */
export function scoresOf({ length, first }: Windows): number {
  return length - 1 - first;
}

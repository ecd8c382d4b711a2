import { createError } from '../errors.js';
import type { Model } from '../model/model.js';
import type { Evaluator } from './evaluator.js';
import type { LogitsFile } from './logits-file.js';
import { tokensOf, type Windows } from './windows.js';

/** Log-probabilities to compare with, whatever they come from. */
export interface Reference {
  /** Windows that it gives at a time, at most. */
  readonly sequences: number;
  /** The packed rows of some windows. */
  rowsOf(from: number, count: number, signal: AbortSignal | undefined): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A loaded model, which reads the same windows. @throws REFERENCE_INVALID for another vocabulary. */
export async function modelReference(reference: Model, text: string, windows: Windows): Promise<Reference> {
  const tokens = await reference.tokenize(text);
  const isSame = tokens.length === windows.tokens.length && tokens.every((id, i) => id === windows.tokens[i]);
  if (!isSame) {
    const message =
      'The reference model turns the text into other tokens: it has another vocabulary. Compare models of the same family.';
    throw createError('REFERENCE_INVALID', message);
  }
  const { length: window, first, beginWithBos } = windows;
  const evaluator: Evaluator = await reference.createEvaluator({ window, first });
  return {
    sequences: evaluator.sequences,
    async rowsOf(from, count, signal) {
      const request = { tokens: tokensOf(windows, from, count), window, first, beginWithBos, pack: true };
      const { logProbabilities } = await evaluator.score(request, signal);
      return logProbabilities ?? new Uint8Array();
    },
    close: () => evaluator.close(),
  };
}

/** A file that is open already. */
export function fileReference(file: LogitsFile): Reference {
  return {
    sequences: Number.POSITIVE_INFINITY,
    rowsOf: (from, count) => file.readRows(from, count),
    close: () => file.close(),
  };
}

import { checkInteger, checkKeys, checkNumber, checkString, invalidArgument } from '../arguments.js';

/** How generations are sped up by guesses; see {@link LoadModelOptions.speculative}. */
export interface SpeculativeOptions {
  /**
   * A smaller model with the same vocabulary that makes the guesses: a source as `loadModel` takes it. Default: none;
   * then earlier text is searched for the last tokens, which helps where answers repeat what was said, as in editing,
   * extraction and code.
   */
  draftModel?: string;
  /** Most tokens guessed at once, 1 to 64. Default 8. */
  draftTokens?: number;
  /** A guess ends before a token that the draft model finds less probable than this. Range 0 to 1. Default 0.5. */
  minDraftProbability?: number;
  /** Without a draft model: how many tokens must have occurred in a row earlier, 1 to 64. Default 4. */
  ngramSize?: number;
}

const keys = ['draftModel', 'draftTokens', 'minDraftProbability', 'ngramSize'];

/**
 * Checks the option `speculative`.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkSpeculative(options: SpeculativeOptions | undefined): void {
  if (options === undefined) return;
  checkKeys('speculative', options, keys);
  checkString('draftModel', options.draftModel);
  if (options.draftModel === '') throw invalidArgument('draftModel', 'a path, hf:owner/repo or URL', '');
  checkInteger('draftTokens', options.draftTokens, 1, 64);
  checkNumber('minDraftProbability', options.minDraftProbability, 0, 1);
  checkInteger('ngramSize', options.ngramSize, 1, 64);
}

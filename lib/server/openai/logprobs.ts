import type { Logprob, TokenLogprob } from '../../index.js';

/** JSON has no infinity; OpenAI writes this for what is all but impossible. */
const impossible = -9999;

function finite(logprob: number): number {
  return Number.isFinite(logprob) ? logprob : impossible;
}

function toEntry({ text, logprob }: Logprob) {
  return {
    token: text,
    logprob: finite(logprob),
    // A token that is part of a character has bytes that its text does not tell.
    bytes: text.includes('\ufffd') ? null : [...Buffer.from(text)],
  };
}

/** The log-probabilities of a chat completion's choice. */
export function toChatLogprobs(logprobs: readonly TokenLogprob[] | undefined): object | null {
  if (logprobs === undefined) return null;
  return {
    content: logprobs.map((token) => ({ ...toEntry(token), top_logprobs: token.top.map(toEntry) })),
    refusal: null,
  };
}

/**
 * The log-probabilities of a completion's choice.
 * @param offset where in the text the first token begins, in characters.
 */
export function toCompletionLogprobs(
  logprobs: readonly TokenLogprob[] | undefined,
  offset: number,
): object | null {
  if (logprobs === undefined) return null;
  let position = offset;
  return {
    tokens: logprobs.map(({ text }) => text),
    token_logprobs: logprobs.map(({ logprob }) => finite(logprob)),
    top_logprobs: logprobs.map(({ top }) =>
      top.length === 0 ? null : Object.fromEntries(top.map(({ text, logprob }) => [text, finite(logprob)])),
    ),
    text_offset: logprobs.map(({ text }) => {
      const start = position;
      position += text.length;
      return start;
    }),
  };
}

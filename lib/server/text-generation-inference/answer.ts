import Type, { type Static } from 'typebox';
import type { GenerationChunk, GenerationResult, Model } from '../../index.js';

const Token = Type.Object({
  id: Type.Integer(),
  text: Type.String(),
  logprob: Type.Number(),
  special: Type.Boolean(),
});
export type Token = Static<typeof Token>;

const FinishReason = Type.Union([
  Type.Literal('length'),
  Type.Literal('eos_token'),
  Type.Literal('stop_sequence'),
]);

/** The answer of `POST /generate`. */
export const TextGenerationResponse = Type.Object({
  generated_text: Type.String(),
  details: Type.Optional(
    Type.Object({
      finish_reason: FinishReason,
      generated_tokens: Type.Integer(),
      seed: Type.Union([Type.Integer(), Type.Null()]),
      prefill: Type.Array(Token),
      tokens: Type.Array(Token),
      top_tokens: Type.Optional(Type.Array(Type.Array(Token))),
    }),
  ),
});

/** A token with those that might have been in its place. */
export interface DescribedToken {
  readonly token: Token;
  readonly top: readonly Token[];
}

/**
 * The tokens of a piece of text. The text of a character that several tokens make up belongs to the last of them, so that
 * the texts of all tokens put together are the answer.
 */
export function describeTokens({ text, logprobs = [] }: GenerationChunk): DescribedToken[] {
  const texts = logprobs.map((entry) => entry.text);
  const areExact = texts.join('') === text;
  return logprobs.map(({ token, logprob, top }, index) => {
    const whole = index === logprobs.length - 1 ? text : '';
    return {
      token: { id: token, text: areExact ? (texts[index] ?? '') : whole, logprob, special: false },
      top: top.map((other) => ({
        id: other.token,
        text: other.text,
        logprob: other.logprob,
        special: false,
      })),
    };
  });
}

/** Why an answer ended. */
export function toFinishReason({ finishReason, stopString }: GenerationResult): Static<typeof FinishReason> {
  if (finishReason === 'length') return 'length';
  return stopString === undefined ? 'eos_token' : 'stop_sequence';
}

/** The token that ends an answer, for a last event where all others have been sent. It has no part in the text. */
export function endToken({ metadata: { specialTokens } }: Model): Token {
  const id = specialTokens.endOfSequence ?? specialTokens.endOfTurn ?? 0;
  return { id, text: '', logprob: 0, special: true };
}

import type { GenerationResult, Logprob, Model, TokenLogprob } from '../../index.js';
import { toTimings } from '../openai/usage.js';
import { withoutNothing } from '../requests/nullable.js';
import { bytesOfPiece, readPieces } from '../tokens/token-bytes.js';
import type { CompletionSettings } from './completion-request.js';
import { defaultParams } from './default-params.js';

/** Tokens with their log-probabilities. The bytes are looked up: a token may be only a part of a character. */
export async function toProbabilities(
  model: Model,
  logprobs: readonly TokenLogprob[],
): Promise<readonly object[]> {
  const all: readonly Logprob[] = logprobs.flatMap((entry) => [entry, ...entry.top]);
  const pieces = await readPieces(
    model,
    all.map(({ token }) => token),
  );
  let next = 0;
  const describe = ({ token, text, logprob }: Logprob) => ({
    id: token,
    token: text,
    bytes: bytesOfPiece(pieces[next++] ?? text),
    logprob,
  });
  return logprobs.map((entry) => ({ ...describe(entry), top_logprobs: entry.top.map(describe) }));
}

function toStopType({ finishReason, stopString }: GenerationResult): string {
  if (finishReason === 'length') return 'limit';
  if (finishReason === 'cancelled') return 'none';
  return stopString === undefined ? 'eos' : 'word';
}

/** Keeps the named fields of an answer; `a/b` brings the field b of a to the top, where it is called `a/b`. */
export function pickFields(answer: object, names: readonly string[] | null | undefined): object {
  if (!names?.length) return answer;
  const picked: Record<string, unknown> = {};
  for (const name of names) {
    let value: unknown = answer;
    for (const key of name.split('/')) {
      const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
      value = isThere ? (value as Record<string, unknown>)[key] : undefined;
    }
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

/** What of a finished completion belongs into its answer. */
export interface FinishedCompletion {
  readonly model: Model;
  readonly name: string;
  readonly request: CompletionSettings;
  readonly index: number;
  readonly prompt: Int32Array;
  readonly result: GenerationResult;
}

/** The answer, or the last event of a stream. */
export async function toCompletion(completion: FinishedCompletion): Promise<object> {
  const { model, name, request, index, prompt, result } = completion;
  const onlyRead = request.n_predict === 0;
  const { usage, text, finishReason } = result;
  const isStream = request.stream === true;
  const {
    prompt: _prompt,
    stream: _stream,
    ...settings
  } = request as CompletionSettings & { prompt?: unknown };
  const limit = request.n_predict ?? -1;
  return {
    index,
    content: isStream || onlyRead ? '' : text,
    tokens: isStream || onlyRead || request.return_tokens !== true ? [] : result.tokens,
    id_slot: -1,
    stop: true,
    model: name,
    tokens_predicted: onlyRead ? 0 : usage.completionTokens,
    tokens_evaluated: usage.promptTokens,
    generation_settings: {
      ...defaultParams,
      ...withoutNothing(settings),
      n_ctx: model.contextSize,
      stream: isStream,
    },
    prompt: await model.detokenize(prompt, { renderSpecial: true }),
    has_new_line: text.includes('\n'),
    truncated: finishReason === 'length' && (limit < 0 || usage.completionTokens < limit) && !onlyRead,
    stop_type: toStopType(result),
    stopping_word: result.stopString ?? '',
    tokens_cached: usage.cachedTokens,
    timings: toTimings(result),
    ...(!isStream &&
      result.logprobs && { completion_probabilities: await toProbabilities(model, result.logprobs) }),
  };
}

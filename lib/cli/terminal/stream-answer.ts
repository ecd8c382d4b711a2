import type { ChatPart, GenerationChunk, Timings, Usage } from '../../index.js';
import type { Channel } from './channel.js';

/** What the commands tell of an answer, of a chat or of a plain generation. */
export interface AnswerResult {
  readonly text: string;
  /** What a thinking model thought before it answered. */
  readonly reasoning?: string;
  readonly finishReason: string;
  readonly usage: Usage;
  readonly timings: Timings;
}

/** A running answer of either kind. */
export interface Answer extends AsyncIterable<GenerationChunk | ChatPart> {
  readonly result: Promise<AnswerResult>;
}

/** What of a part is written: reasoning dimmed and only for a person, since it is no part of the answer. */
function render(part: GenerationChunk | ChatPart, output: Channel): string {
  if (!('type' in part) || part.type === 'text') {
    return part.text;
  }
  return part.type === 'reasoning' && output.isTerminal ? output.colours.dim(part.text) : '';
}

/**
 * Writes an answer as it is made and ends it with a line break. Without an output it is only awaited.
 *
 * @throws what the generation throws, once it has ended: a chat takes its next message only then.
 */
export async function streamAnswer<Result extends AnswerResult>(
  answer: AsyncIterable<GenerationChunk | ChatPart> & { readonly result: Promise<Result> },
  output: Channel | undefined,
): Promise<Result> {
  let last = '\n';
  let isThinking = false;
  const write = (text: string) => {
    last = text.at(-1) ?? last;
    output?.write(text);
  };
  try {
    for await (const part of answer) {
      if (output === undefined) {
        continue;
      }
      const text = render(part, output);
      const isReasoning = 'type' in part && part.type === 'reasoning';
      if (isThinking && !isReasoning && text !== '') {
        write('\n\n');
      }
      if (text !== '') {
        isThinking = isReasoning;
        write(text);
      }
    }
  } finally {
    if (last !== '\n') {
      output?.write('\n');
    }
    await answer.result.catch(() => {});
  }
  return answer.result;
}

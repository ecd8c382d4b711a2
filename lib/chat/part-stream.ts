import { ItemStream } from '../generate/item-stream.js';
import type { ChatAnswer, ChatPart, ChatResult } from './types.js';

/** The two ends of a running answer: the chat writes parts and the outcome. */
export class PartStream extends ItemStream<ChatPart, ChatResult> implements ChatAnswer {
  /**
   * @param run makes the answer; its outcome also ends the iteration.
   * @param onLeave called when the caller leaves the loop before the end.
   */
  constructor(run: (emit: (part: ChatPart) => void) => Promise<ChatResult>, onLeave: () => void) {
    super(onLeave);
    run((part) => this.push(part)).then(
      (result) => this.finish(result),
      (error: unknown) => this.fail(error),
    );
  }

  get textStream(): AsyncIterable<string> {
    return textsOf(this);
  }
}

async function* textsOf(parts: AsyncIterable<ChatPart>): AsyncGenerator<string, void, undefined> {
  for await (const part of parts) {
    if (part.type === 'text') yield part.text;
  }
}

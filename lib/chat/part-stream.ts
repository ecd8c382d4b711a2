import type { ChatAnswer, ChatPart, ChatResult } from './types.js';

/**
 * The two ends of a running answer: the chat writes parts and the outcome, the caller iterates or awaits `result`.
 * Parts are kept, so iteration may begin late and loses nothing.
 */
export class PartStream implements ChatAnswer {
  readonly result: Promise<ChatResult>;
  readonly #parts: ChatPart[] = [];
  readonly #onLeave: () => void;
  #ended = false;
  #error: unknown;
  #waiting: (() => void)[] = [];

  /**
   * @param run makes the answer; its outcome also ends the iteration.
   * @param onLeave called when the caller leaves the loop before the end.
   */
  constructor(run: (emit: (part: ChatPart) => void) => Promise<ChatResult>, onLeave: () => void) {
    this.#onLeave = onLeave;
    this.result = run((part) => {
      this.#parts.push(part);
      this.#wake();
    });
    this.result.then(
      () => this.#end(undefined),
      (error: unknown) => this.#end(error),
    );
  }

  #end(error: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChatPart, void, undefined> {
    let position = 0;
    try {
      while (true) {
        const part = this.#parts[position];
        if (part !== undefined) {
          position++;
          yield part;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
      }
    } finally {
      if (!this.#ended) {
        this.#onLeave();
        // A loop that was left waits for this: then the work has stopped, and a chat has its history.
        await this.result.catch(() => {});
      }
    }
  }

  get textStream(): AsyncIterable<string> {
    return textsOf(this);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}

async function* textsOf(parts: AsyncIterable<ChatPart>): AsyncGenerator<string, void, undefined> {
  for await (const part of parts) {
    if (part.type === 'text') yield part.text;
  }
}

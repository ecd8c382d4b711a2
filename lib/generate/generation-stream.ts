import type { Generation, GenerationChunk, GenerationResult, TokenLogprob } from './types.js';

/**
 * The two ends of a running generation: the engine writes chunks and the outcome, the caller iterates or awaits
 * `result`. Chunks are kept, so iteration may begin late and loses nothing.
 */
export class GenerationStream implements Generation {
  readonly result: Promise<GenerationResult>;
  readonly #chunks: GenerationChunk[] = [];
  readonly #onCancel: () => void;
  #settleResult: { resolve: (result: GenerationResult) => void; reject: (error: unknown) => void };
  #ended = false;
  #error: unknown;
  #waiting: (() => void)[] = [];

  /** @param onCancel called when the caller leaves the loop before the end. */
  constructor(onCancel: () => void) {
    this.#onCancel = onCancel;
    this.#settleResult = { resolve: () => {}, reject: () => {} };
    this.result = new Promise((resolve, reject) => {
      this.#settleResult = { resolve, reject };
    });
    // Someone who only iterates meets the error there; it must not also count as unhandled.
    this.result.catch(() => {});
  }

  /** The text so far. */
  get text(): string {
    return this.#chunks.map((chunk) => chunk.text).join('');
  }

  /** The tokens so far. */
  get tokens(): number[] {
    return this.#chunks.flatMap((chunk) => chunk.tokens);
  }

  /** The log-probabilities so far, if they were asked for. */
  get logprobs(): TokenLogprob[] {
    return this.#chunks.flatMap((chunk) => chunk.logprobs ?? []);
  }

  /** Stops the work, as leaving the loop does. */
  cancel(): void {
    if (!this.#ended) this.#onCancel();
  }

  push(chunk: GenerationChunk): void {
    this.#chunks.push(chunk);
    this.#wake();
  }

  finish(result: GenerationResult): void {
    this.#ended = true;
    this.#settleResult.resolve(result);
    this.#wake();
  }

  fail(error: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#settleResult.reject(error);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GenerationChunk, void, undefined> {
    let position = 0;
    try {
      while (true) {
        const chunk = this.#chunks[position];
        if (chunk !== undefined) {
          position++;
          yield chunk;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
      }
    } finally {
      if (!this.#ended) {
        this.#onCancel();
        // A loop that was left waits for this: then the work has stopped, and a chat has its history.
        await this.result.catch(() => {});
      }
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}

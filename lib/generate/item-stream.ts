/**
 * The two ends of running work: one side writes items and the outcome, the caller iterates or awaits `result`. Items
 * are kept, so iteration may begin late and loses nothing.
 */
export class ItemStream<Item, Result> implements AsyncIterable<Item> {
  readonly result: Promise<Result>;
  /** All so far. */
  protected readonly items: Item[] = [];
  readonly #onLeave: () => void;
  readonly #settle: { resolve: (result: Result) => void; reject: (error: unknown) => void };
  #ended = false;
  #error: unknown;
  #waiting: (() => void)[] = [];

  /** @param onLeave called when the caller leaves the loop before the end. */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
    let settle = { resolve: (_result: Result) => {}, reject: (_error: unknown) => {} };
    this.result = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settle = settle;
    // Someone who only iterates meets the error there; it must not also count as unhandled.
    this.result.catch(() => {});
  }

  /** Stops the work, as leaving the loop does. */
  cancel(): void {
    if (!this.#ended) this.#onLeave();
  }

  push(item: Item): void {
    this.items.push(item);
    this.#wake();
  }

  finish(result: Result): void {
    this.#ended = true;
    this.#settle.resolve(result);
    this.#wake();
  }

  fail(error: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#settle.reject(error);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    let position = 0;
    try {
      while (true) {
        const item = this.items[position];
        if (item !== undefined) {
          position++;
          yield item;
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

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}

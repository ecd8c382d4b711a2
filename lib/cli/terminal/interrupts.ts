/**
 * Who answers Ctrl-C. A command that does nothing about it is cancelled through {@link Interrupts.signal}; one that
 * wants Ctrl-C for itself, such as the chat, takes it with {@link Interrupts.handle}.
 */
export class Interrupts {
  readonly #controller = new AbortController();
  readonly #handlers: (() => void)[] = [];
  readonly #forceExit: () => void;
  #isOutputClosed = false;

  /** @param forceExit Called when Ctrl-C comes again after the command was already cancelled. */
  constructor(forceExit: () => void) {
    this.#forceExit = forceExit;
  }

  /** Aborted by the first Ctrl-C that no handler took. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Gives Ctrl-C to `handler` until the returned function is called. */
  handle(handler: () => void): () => void {
    this.#handlers.push(handler);
    return () => {
      const index = this.#handlers.lastIndexOf(handler);
      if (index >= 0) {
        this.#handlers.splice(index, 1);
      }
    };
  }

  /** Whether the command was cancelled because the reader of its output has gone. */
  get isOutputClosed(): boolean {
    return this.#isOutputClosed;
  }

  /** Cancels the command whoever answers Ctrl-C, because nobody reads its output any more. */
  closeOutput(): void {
    this.#isOutputClosed = true;
    this.#controller.abort();
  }

  /** Ctrl-C was pressed, or the process got SIGINT. */
  raise(): void {
    const handler = this.#handlers.at(-1);
    if (handler !== undefined) {
      handler();
    } else if (this.#controller.signal.aborted) {
      this.#forceExit();
    } else {
      this.#controller.abort();
    }
  }
}

/** How often a page that nobody sees is brought up to date; browsers give it no frames. */
const hiddenMs = 500;

/** Runs a task at most once a frame, however often it is asked for. */
export class FrameThrottle {
  readonly #task: () => void;
  #cancel: (() => void) | undefined;

  constructor(task: () => void) {
    this.#task = task;
  }

  /** Asks for the task; it runs before the next frame is drawn. */
  schedule(): void {
    if (this.#cancel !== undefined) return;
    const run = () => {
      this.#cancel = undefined;
      this.#task();
    };
    if (document.hidden) {
      const timer = setTimeout(run, hiddenMs);
      this.#cancel = () => clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(run);
      this.#cancel = () => cancelAnimationFrame(frame);
    }
  }

  /** Forgets what was asked for. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

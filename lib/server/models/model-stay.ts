import type { Model } from '../../index.js';

/**
 * One stay of a model in memory: from the beginning of its load until its memory is given back. Where a model is unloaded
 * and loaded again, one stay ends while the next begins; whoever works with a model holds a lease of one stay.
 */
export class ModelStay {
  /** The model, once it is loaded. */
  model: Model | undefined;
  /** Memory that is counted for it, in bytes; undefined where nothing is known. */
  memoryBytes: number | undefined;
  /** What was estimated from its file, where that is to be trusted. */
  estimatedBytes: number | undefined;
  /** When it could be used; milliseconds since 1970. */
  readySinceMs = 0;
  readonly #controller = new AbortController();
  #ready: Promise<Model> = new Promise(() => {});
  #leases = 0;
  /** Told when no lease is left, or when that does not matter any more. */
  #onIdle: (() => void)[] = [];
  #isForced = false;
  #ended: Promise<void> | undefined;

  /** Settled when the model can be used, or cannot; another promise after a crash of its engine. */
  get ready(): Promise<Model> {
    return this.#ready;
  }

  set ready(work: Promise<Model>) {
    this.#ready = work;
    work.catch(() => {}); // those who wait for it hear of it, and there may be none
  }

  /** Fires when the stay is to end; the reason is what those who wait for the model are told. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get leases(): number {
    return this.#leases;
  }

  /**
   * Keeps the model in memory until the lease is given back.
   * @returns gives it back; call it once.
   */
  take(): () => void {
    this.#leases += 1;
    return () => {
      this.#leases -= 1;
      if (this.#leases === 0) this.#tellIdle();
    };
  }

  /** Stops a load, or waits for the last lease; then gives the memory back. */
  end(reason: unknown): Promise<void> {
    this.#ended ??= this.#end(reason);
    return this.#ended;
  }

  /** Leases do not hold up the {@link end} any more: what works with the model fails with CLOSED. */
  endNow(): void {
    this.#isForced = true;
    this.#tellIdle();
  }

  async #end(reason: unknown): Promise<void> {
    this.#controller.abort(reason);
    // A load that is stopped gives back by itself what it has, unless it was done just then.
    if (this.model === undefined) await this.#ready.catch(() => {});
    if (this.#leases > 0 && !this.#isForced) {
      await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    }
    await this.model?.close();
  }

  #tellIdle(): void {
    for (const tell of this.#onIdle.splice(0)) tell();
  }
}

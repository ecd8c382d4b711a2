import { formatBytes } from '../../files/format-bytes.js';
import { RequestError } from '../failures.js';
import { waitFor } from './wait.js';

/** A place that holds memory, as the budget sees it. */
export interface MemoryHolder {
  readonly name: string;
  /** Never given up for others. */
  readonly pinned: boolean;
  /** A model is there, and nobody uses it. */
  readonly isIdle: boolean;
  /** Bytes that are held now, those that are about to be given back included. */
  readonly heldBytes: number;
  /** Bytes of them that {@link evict} gives back. */
  readonly evictableBytes: number;
  /** When it was used last, or loaded. */
  readonly leftAloneSinceMs: number;
  /** Gives up what is idle. */
  evict(): Promise<void>;
  /** Settled when what nobody uses any more has been given back. */
  settle(): Promise<void>;
}

/** What wants room. */
export interface MemoryWish {
  readonly bytes: number;
  readonly signal: AbortSignal;
  /** From now on the holder counts the bytes as held. */
  readonly take: () => void;
}

/** Shares out the memory that the models may take together. What requests use is never taken away. */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #holders: () => Iterable<MemoryHolder>;
  /** One at a time decides, or two would be given the same room. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(limitBytes: number, holders: () => Iterable<MemoryHolder>) {
    this.limitBytes = limitBytes;
    this.#holders = holders;
  }

  get isLimited(): boolean {
    return this.limitBytes !== Number.POSITIVE_INFINITY;
  }

  /**
   * Makes room for a model, for which those are unloaded that were left alone for longest.
   * @throws RequestError if there is not enough, now or ever; the signal's reason when it fires.
   */
  reserve(holder: MemoryHolder, wish: MemoryWish): Promise<void> {
    // Who gives up must not be waited for by those whose turn comes before.
    return waitFor(
      this.#inTurn(() => this.#reserve(holder, wish)),
      wish.signal,
    );
  }

  /** Unloads idle models while those that are there take more than they may, as models grow after they are loaded. */
  trim(): Promise<void> {
    return this.#inTurn(async () => {
      for (const idle of this.#idle()) {
        if (this.#heldBytes() <= this.limitBytes) return;
        if (idle.isIdle) await idle.evict();
      }
    });
  }

  async #reserve(holder: MemoryHolder, { bytes, signal, take }: MemoryWish): Promise<void> {
    signal.throwIfAborted();
    await Promise.all([...this.#holders()].map((other) => other.settle()));
    const idle = this.#idle();
    const evictable = idle.reduce((sum, { evictableBytes }) => sum + evictableBytes, 0);
    if (bytes > this.limitBytes) throw this.#tooLarge(holder, bytes);
    if (this.#heldBytes() - evictable + bytes > this.limitBytes) throw this.#noRoom(holder, bytes);
    for (const other of idle) {
      if (this.#heldBytes() + bytes <= this.limitBytes) break;
      if (other.isIdle) await other.evict();
    }
    signal.throwIfAborted();
    // Somebody may have begun to use a model in the meantime.
    if (this.#heldBytes() + bytes > this.limitBytes) throw this.#noRoom(holder, bytes);
    take();
  }

  /** Who may be unloaded, those first that were left alone for longest. */
  #idle(): MemoryHolder[] {
    return [...this.#holders()]
      .filter(({ isIdle, pinned }) => isIdle && !pinned)
      .sort((one, other) => one.leftAloneSinceMs - other.leftAloneSinceMs);
  }

  #heldBytes(): number {
    return [...this.#holders()].reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #tooLarge({ name }: MemoryHolder, bytes: number): RequestError {
    const message =
      `The model ${name} needs ${formatBytes(bytes)}, more than the ${formatBytes(this.limitBytes)} that all models ` +
      'may take (memoryBudgetBytes). Take a smaller quantization or contextSize, or raise the budget.';
    return new RequestError('invalid-request', 'model_too_large', message, { param: 'model' });
  }

  #noRoom({ name }: MemoryHolder, bytes: number): RequestError {
    const holders = [...this.#holders()].filter(({ heldBytes }) => heldBytes > 0);
    const taken = holders.map(
      (holder) => `${holder.name} ${formatBytes(holder.heldBytes)} (${whyHeld(holder)})`,
    );
    const message =
      `The model ${name} needs ${formatBytes(bytes)} of the ${formatBytes(this.limitBytes)} that all models may take ` +
      `(memoryBudgetBytes), and too little can be given up for it now: ${taken.join(', ')}. Try again later.`;
    return new RequestError('overloaded', 'no_room', message, { retryAfterSeconds: 2 });
  }
}

function whyHeld({ isIdle, pinned }: MemoryHolder): string {
  if (pinned) return 'pinned';
  return isIdle ? 'idle' : 'in use';
}

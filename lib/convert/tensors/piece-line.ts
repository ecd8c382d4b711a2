/** Makes a piece of a tensor; `slot` says which of the buffers are free for it. */
export type MakePiece = (slot: number) => Promise<Uint8Array>;

/** How many pieces there are at a time: one is written while the next is made. */
const slotCount = 2;

/**
 * The pieces of all tensors in their order. While one is written the next one is made, also where that belongs to the
 * next tensor: most tensors of a small model are a single piece. A piece is overwritten when the one after the next is
 * made, which is not before the next one was taken.
 */
export class PieceLine {
  readonly #tensors: (() => readonly MakePiece[])[] = [];
  #made = 0;
  /** The piece that is made ahead. */
  #next: Promise<Uint8Array> | undefined;
  #nextTensor = -1;

  /**
   * Puts a tensor at the end of the line. Its pieces are listed when its turn comes.
   * @returns its pieces; tensors are to be taken in their order, each once.
   */
  add(pieces: () => readonly MakePiece[]): () => AsyncGenerator<Uint8Array> {
    const tensor = this.#tensors.push(pieces) - 1;
    return () => this.#take(tensor);
  }

  async *#take(tensor: number): AsyncGenerator<Uint8Array> {
    const pieces = this.#tensors[tensor]?.() ?? [];
    for (const [index, make] of pieces.entries()) {
      const isMade = index > 0 || this.#nextTensor === tensor;
      const piece = await (isMade ? this.#next : this.#begin(make));
      this.#beginAhead(tensor, pieces[index + 1]);
      if (piece !== undefined) yield piece;
    }
  }

  #beginAhead(tensor: number, sameTensor: MakePiece | undefined): void {
    const make = sameTensor ?? this.#tensors[tensor + 1]?.()[0];
    this.#nextTensor = sameTensor === undefined ? tensor + 1 : tensor;
    this.#next = make === undefined ? undefined : this.#begin(make);
    // A failure of the piece after the one that fails to be written is nobody's.
    this.#next?.catch(() => {});
  }

  #begin(make: MakePiece): Promise<Uint8Array> {
    return make(this.#made++ % slotCount);
  }
}

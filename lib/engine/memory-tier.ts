/** Something that takes up memory. */
export interface Sized {
  readonly byteSize: number;
}

/** What is held in memory, within a number of bytes: what was unused longest goes first. */
export class MemoryTier<Item extends Sized> {
  readonly #limitBytes: number;
  /** In the order of their last use. */
  readonly #items = new Set<Item>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Number of items. */
  get size(): number {
    return this.#items.size;
  }

  /** Bytes of all items. */
  get bytes(): number {
    return this.#bytes;
  }

  /** All items, the one unused longest first. */
  items(): Item[] {
    return [...this.#items];
  }

  /** Takes an item in and returns those that had to go for it: the item itself, if it is larger than everything. */
  put(item: Item): Item[] {
    if (item.byteSize > this.#limitBytes) return [item];
    this.delete(item);
    this.#items.add(item);
    this.#bytes += item.byteSize;
    const gone: Item[] = [];
    for (const oldest of this.#items) {
      if (this.#bytes <= this.#limitBytes) break;
      this.delete(oldest);
      gone.push(oldest);
    }
    return gone;
  }

  /** Whether an item is in. */
  has(item: Item): boolean {
    return this.#items.has(item);
  }

  /** Notes that an item was used now. */
  touch(item: Item): void {
    if (this.#items.delete(item)) this.#items.add(item);
  }

  /** Takes an item out, if it is in. */
  delete(item: Item): void {
    if (this.#items.delete(item)) this.#bytes -= item.byteSize;
  }
}

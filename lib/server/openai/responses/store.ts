import type { Item } from './items.js';

/** A response that is kept. */
export interface StoredResponse {
  readonly id: string;
  /** Name of the key that made it: others do not find it. */
  readonly owner: string;
  /** The response, as it was sent. */
  readonly response: object;
  /** All that was said before the answer, earlier responses included. */
  readonly input: readonly Item[];
  readonly output: readonly Item[];
}

/** How much is kept. */
export interface StoreLimits {
  /** Most bytes of JSON, all responses together. */
  readonly bytes: number;
  /** How long a response is kept after its last use, in milliseconds. */
  readonly ageMs: number;
}

interface Entry {
  readonly stored: StoredResponse;
  readonly bytes: number;
  usedMs: number;
}

/** 64 MiB, and a day. */
export const defaultStoreLimits: StoreLimits = { bytes: 64 * 1024 * 1024, ageMs: 24 * 60 * 60 * 1000 };

/**
 * Responses in memory, for `previous_response_id` and for whoever asks for one again. The least recently used ones make
 * room for new ones.
 */
export class ResponseStore {
  readonly #limits: StoreLimits;
  readonly #now: () => number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** Items by their id, with the response that keeps them. */
  readonly #items = new Map<string, { readonly item: Item; readonly responseId: string }>();
  #bytes = 0;

  constructor(limits: StoreLimits = defaultStoreLimits, now: () => number = Date.now) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Responses that are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** Their size in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a response, unless it alone is larger than all that may be kept. */
  put(stored: StoredResponse): void {
    this.#forgetOld();
    // What a conversation repeats of earlier responses counts each time: the true size is never larger.
    const bytes = sizeOf(stored);
    if (bytes > this.#limits.bytes) return;
    this.#remove(stored.id);
    this.#entries.set(stored.id, { stored, bytes, usedMs: this.#now() });
    this.#bytes += bytes;
    for (const item of [...stored.input, ...stored.output]) {
      if (typeof item.id === 'string') this.#items.set(item.id, { item, responseId: stored.id });
    }
    for (const id of this.#entries.keys()) {
      if (this.#bytes <= this.#limits.bytes) break;
      this.#remove(id);
    }
  }

  /** The response of that id, if that owner made it and it is still there. */
  get(id: string, owner: string): StoredResponse | undefined {
    this.#forgetOld();
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.stored.owner !== owner) return undefined;
    entry.usedMs = this.#now();
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry.stored;
  }

  /** The item of that id in any of an owner's responses. */
  findItem(id: string, owner: string): Item | undefined {
    const found = this.#items.get(id);
    if (found === undefined || this.get(found.responseId, owner) === undefined) return undefined;
    return found.item;
  }

  /** Forgets a response. @returns whether it was there. */
  delete(id: string, owner: string): boolean {
    return this.get(id, owner) !== undefined && this.#remove(id);
  }

  #remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    this.#bytes -= entry.bytes;
    const { input, output } = entry.stored;
    for (const item of [...input, ...output]) {
      if (typeof item.id === 'string' && this.#items.get(item.id)?.responseId === id)
        this.#items.delete(item.id);
    }
    return true;
  }

  #forgetOld(): void {
    const oldest = this.#now() - this.#limits.ageMs;
    for (const [id, { usedMs }] of this.#entries) {
      if (usedMs >= oldest) return;
      this.#remove(id);
    }
  }
}

function sizeOf({ response, input }: StoredResponse): number {
  // The output is part of the response. A character may take two bytes.
  return 2 * (JSON.stringify(response).length + JSON.stringify(input).length);
}

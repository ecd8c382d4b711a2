import { PrefixTree } from './prefix-tree.js';
import type { TokenList } from './token-list.js';

/** Where a new generation runs, and from which cached prefix it goes on. */
export interface Placement {
  readonly sequence: number;
  /** The sequence that holds the first `cachedTokens` tokens of the prompt; may be the same one. */
  readonly cachedSequence: number;
  readonly cachedTokens: number;
}

/** What an idle sequence holds. */
export interface HeldPrefix {
  readonly sequence: number;
  /** Another one each time the sequence holds something else. */
  readonly key: number;
  readonly tokens: Int32Array;
}

/** How a {@link SequenceTable} is set up. */
export interface SequenceTableOptions {
  /** Sequences the context has. */
  readonly sequences: number;
  /** Most generations at the same time; the other sequences only keep prefixes. */
  readonly running: number;
  /** Tokens the KV cache holds. */
  readonly contextSize: number;
  /** False for models whose memory is a state: they continue only from exactly what a sequence holds. */
  readonly canShare: boolean;
}

/** Idle prefixes are given up beyond this share of the KV cache, since attention also walks over cold cells. */
const residentShare = 0.75;

/** A prefix shorter than this is read again rather than taken from a sequence that may still be reading it. */
const leastSharedTokens = 16;

/**
 * Which sequence of a context holds which tokens, which are in use, and which prefix is given up first. Pure policy:
 * it knows nothing of the native side.
 */
export class SequenceTable {
  readonly #options: SequenceTableOptions;
  readonly #tree = new PrefixTree();
  readonly #busy = new Set<number>();
  /** Idle sequences, the one unused longest first. */
  readonly #idle: Set<number>;
  readonly #keys = new Map<number, number>();
  #lastKey = 0;

  constructor(options: SequenceTableOptions) {
    this.#options = options;
    this.#idle = new Set(Array.from({ length: options.sequences }, (_, sequence) => sequence));
  }

  /** Generations that run. */
  get running(): number {
    return this.#busy.size;
  }

  /** Tokens held, shared ones counted once. */
  get residentTokens(): number {
    return this.#tree.size;
  }

  /**
   * Chooses a sequence for a prompt: it continues in place where that loses little, else the prefix is shared into an
   * empty sequence or the one unused longest. Undefined while as many generations run as may.
   * @param reserved generations that will run soon; they count as running.
   */
  place(prompt: TokenList, reserved = 0): Placement | undefined {
    if (this.#busy.size + reserved >= this.#options.running) return undefined;
    if (!this.#options.canShare) return this.#placeWithoutSharing(prompt);
    const match = this.#tree.longestPrefix(prompt);
    const idleHolder = [...this.#idle].reverse().find((sequence) => match.sequences.has(sequence));

    const lost = idleHolder === undefined ? 0 : this.#tree.get(idleHolder).length - match.length;
    const spare = this.#spareSequence(idleHolder);
    if (idleHolder !== undefined && (lost <= match.length || spare === undefined)) {
      return { sequence: idleHolder, cachedSequence: idleHolder, cachedTokens: match.length };
    }
    if (spare === undefined) return undefined;
    const [holder = spare] = idleHolder === undefined ? match.sequences : [idleHolder];
    // A running sequence may still be reading that prefix; waiting for it must be worth it.
    if (this.#busy.has(holder) && match.length < leastSharedTokens) {
      return { sequence: spare, cachedSequence: spare, cachedTokens: 0 };
    }
    return { sequence: spare, cachedSequence: holder, cachedTokens: match.length };
  }

  /** The idle sequence that holds the longest beginning of these tokens, and how much of them. */
  findIdleHolder(tokens: TokenList): { readonly sequence: number; readonly length: number } | undefined {
    const match = this.#tree.longestPrefix(tokens);
    const sequence = [...this.#idle].find((idle) => match.sequences.has(idle));
    return sequence === undefined ? undefined : { sequence, length: match.length };
  }

  /** An idle sequence to put something into, preferably an empty one; undefined if there is none but `except`. */
  findSpare(except?: number): number | undefined {
    return this.#spareSequence(except);
  }

  /** What a sequence holds. */
  tokensOf(sequence: number): Int32Array {
    return this.#tree.get(sequence);
  }

  /** A generation begins: its sequence will hold the prompt. Returns what it held, to take the step back. */
  start(sequence: number, prompt: TokenList): Int32Array {
    const before = this.#tree.get(sequence);
    this.#idle.delete(sequence);
    this.#busy.add(sequence);
    this.#tree.set(sequence, prompt);
    return before;
  }

  /** A generation ended, and its sequence holds these tokens. */
  finish(sequence: number, tokens: TokenList): void {
    this.#busy.delete(sequence);
    this.#idle.delete(sequence);
    this.#idle.add(sequence); // at the end: used last
    this.#keys.set(sequence, ++this.#lastKey);
    this.#tree.set(sequence, tokens);
  }

  /** The native side gave up what an idle sequence held. */
  evicted(sequence: number): void {
    if (!this.#busy.has(sequence)) this.#tree.delete(sequence);
  }

  /** All sequences are idle and empty again. */
  reset(): void {
    for (const sequence of [...this.#busy, ...this.#idle]) this.finish(sequence, []);
  }

  /** Whether a sequence, other than the given one, holds all of these tokens. */
  holdsElsewhere(tokens: TokenList, except: number): boolean {
    const { length, sequences } = this.#tree.longestPrefix(tokens);
    return length === tokens.length && [...sequences].some((sequence) => sequence !== except);
  }

  /** Idle sequences that hold something, the one unused longest first: the order in which they may be given up. */
  evictable(): HeldPrefix[] {
    return [...this.#idle]
      .map((sequence) => {
        return { sequence, key: this.#keys.get(sequence) ?? 0, tokens: this.#tree.get(sequence) };
      })
      .filter(({ tokens }) => tokens.length > 0);
  }

  /** What to give up now, so that cold prefixes stay bounded; the one used last is always kept. */
  takeExcess(): HeldPrefix[] {
    const limit = this.#options.contextSize * residentShare;
    const excess: HeldPrefix[] = [];
    for (const held of this.evictable().slice(0, -1)) {
      if (this.#tree.size <= limit) break;
      this.#tree.delete(held.sequence);
      excess.push(held);
    }
    return excess;
  }

  /** A state holds all tokens up to its end, and one more has to be evaluated for its logits. */
  #placeWithoutSharing(prompt: TokenList): Placement | undefined {
    const exact = this.#tree
      .wholePrefixes(prompt)
      .filter(({ sequence, length }) => this.#idle.has(sequence) && length < prompt.length)
      .at(-1);
    const sequence = exact?.sequence ?? this.#spareSequence(undefined);
    if (sequence === undefined) return undefined;
    return { sequence, cachedSequence: sequence, cachedTokens: exact?.length ?? 0 };
  }

  /** An idle sequence other than the given one: an empty one, else the one unused longest. */
  #spareSequence(except: number | undefined): number | undefined {
    const others = [...this.#idle].filter((sequence) => sequence !== except);
    return others.find((sequence) => this.#tree.get(sequence).length === 0) ?? others[0];
  }
}

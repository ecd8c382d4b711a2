import {
  addonOf,
  type ContextHandle,
  type NativeEvicted,
  type NativeSnapshot,
  type NativeUnrestored,
} from '../native/addon.js';
import { CheckpointPolicy } from './checkpoints.js';
import type { PrefixStore, StoredMatch, StoredPrefix } from './prefix-store.js';
import { RestoreCosts } from './restore-costs.js';
import type { HeldPrefix, Placement, SequenceTable } from './sequence-table.js';

/** What a generation begins from instead of what the KV cache holds. */
export interface Restoration {
  readonly prefix: StoredPrefix;
  readonly state: Uint8Array;
  /** How many tokens of the prompt it holds. */
  readonly length: number;
}

/** How a {@link PrefixKeeper} is set up. */
export interface PrefixKeeperOptions {
  readonly handle: ContextHandle;
  readonly store: PrefixStore;
  readonly sequences: SequenceTable;
  /** Most bytes in the store's memory. */
  readonly memoryBytes: number;
  /** Save states at checkpoints, since the model's memory cannot be cut later. */
  readonly checkpoints: boolean;
}

/** What sequences held is remembered for so many of them, until the loop tells that it gave them up. */
const rememberedContents = 256;

/** A read from the disk that takes longer than this, and than this slow a disk would need, is not waited for. */
const readDeadlineMs = 1000;
const slowestBytesPerMs = 1e5;

/** One prompt's regular checkpoints may fill this share of the store's memory. */
const checkpointShare = 0.25;

/** Regular checkpoints of a prompt while it is not known how large one is. */
const firstCheckpoints = 4;

/**
 * Carries prefixes between the KV cache of a context and the store: what is given up goes into the store, and what a
 * new prompt begins with comes back.
 */
export class PrefixKeeper {
  readonly #options: PrefixKeeperOptions;
  readonly #costs = new RestoreCosts();
  readonly #checkpoints = new CheckpointPolicy();
  /** By key: what sequences held when the loop was told that it may give them up. */
  readonly #contents = new Map<number, Int32Array>();
  /** Whether the store wants what belongs to a key, as of one revision of the store. */
  readonly #wanted = new Map<number, { readonly revision: number; readonly wanted: boolean }>();
  readonly #restoring = new Map<number, StoredPrefix>();
  readonly #saving = new Set<Promise<void>>();
  #checkpointBytes: number | undefined;

  constructor(options: PrefixKeeperOptions) {
    this.#options = options;
  }

  /** The stored prefix that a prompt should begin from rather than from `cached` tokens of the KV cache, if one should. */
  find(prompt: Int32Array, cached: number): StoredMatch | undefined {
    const match = this.#options.store.find(prompt, cached);
    if (match === undefined) return undefined;
    const { prefix, length } = match;
    const pays = this.#costs.pays(length - cached, prefix.byteSize, prefix.state === undefined);
    return pays ? match : undefined;
  }

  /** Gets hold of a stored state, from the disk if it must; undefined if it is lost or takes too long. */
  async load({ prefix, length }: StoredMatch): Promise<Restoration | undefined> {
    const begin = performance.now();
    const onDisk = prefix.state === undefined;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<undefined>((resolve) => {
      const milliseconds = readDeadlineMs + prefix.byteSize / slowestBytesPerMs;
      timer = setTimeout(resolve, milliseconds, undefined);
    });
    const state = await Promise.race([this.#options.store.load(prefix), deadline]);
    clearTimeout(timer);
    if (state === undefined) return undefined;
    if (onDisk) this.#costs.read(state.length, performance.now() - begin);
    return { prefix, state, length };
  }

  /** Notes that a generation begins from a stored prefix. */
  restoring(id: number, { prefix }: Restoration): void {
    this.#restoring.set(id, prefix);
  }

  /**
   * Saves what a sequence holds before a generation overwrites it, if that is worth it. To be called before the
   * generation is submitted, and before the table knows of it.
   */
  beforeUse({ sequence, cachedSequence, cachedTokens }: Placement, restores: boolean): void {
    const held = this.#options.sequences.tokensOf(sequence);
    const kept = restores || cachedSequence !== sequence ? 0 : cachedTokens;
    // An answer that is replaced by another one is not kept; what the sequence was mostly about is.
    if (held.length - kept > kept) this.giveUp(sequence, held);
  }

  /** Saves what an idle sequence holds, if that is worth it. Commands that the context gets later come after. */
  giveUp(sequence: number, tokens: Int32Array): void {
    const { handle, store, sequences, checkpoints } = this.#options;
    if (!store.wants(tokens) || (!checkpoints && sequences.holdsElsewhere(tokens, sequence))) return;
    const saving: Promise<void> = addonOf(handle)
      .savePrefix(handle, sequence, tokens.length)
      .then(
        (state) => this.#put(tokens, state),
        () => {}, // the context closed first
      )
      .then(() => {
        this.#saving.delete(saving);
      });
    this.#saving.add(saving);
  }

  /** Tells the loop in which order it may give up idle sequences, and which of them it saves then. */
  announce(idle: readonly HeldPrefix[]): void {
    const keys = idle.map(({ sequence, key, tokens }) => (this.#wants(sequence, key, tokens) ? key : 0));
    for (const [index, { key, tokens }] of idle.entries()) {
      if (keys[index] !== 0) this.#contents.set(key, tokens);
    }
    for (const key of this.#contents.keys()) {
      if (this.#contents.size <= rememberedContents) break;
      this.#contents.delete(key);
    }
    const { handle } = this.#options;
    const ids = idle.map(({ sequence }) => sequence);
    addonOf(handle).setEvictable(handle, Int32Array.from(ids), Int32Array.from(keys));
  }

  /** The loop gave up an idle sequence. */
  evicted({ key, state }: NativeEvicted): void {
    const tokens = this.#contents.get(key);
    this.#contents.delete(key);
    if (tokens !== undefined) this.#put(tokens, state);
  }

  /** Where the loop saves the state of a prompt on its way through it. */
  checkpointsFor(prompt: Int32Array, cached: number): number[] {
    const { checkpoints, memoryBytes, store } = this.#options;
    if (!checkpoints) return [];
    const size = this.#checkpointBytes;
    const affordable =
      size === undefined ? firstCheckpoints : Math.floor((memoryBytes * checkpointShare) / size);
    const positions = this.#checkpoints.choose(prompt, cached, affordable);
    return positions.filter((position) => store.wants(prompt.subarray(0, position)));
  }

  /** The loop saved a state on its way through a prompt. */
  snapshot(prompt: Int32Array, { position, state }: NativeSnapshot): void {
    this.#checkpointBytes = state.length;
    this.#put(prompt.slice(0, position), state);
  }

  /** A stored state was of no use. */
  unrestored({ id, invalid }: NativeUnrestored): void {
    const prefix = this.#restoring.get(id);
    if (prefix === undefined) return;
    if (invalid) this.#options.store.refuse(prefix);
    else this.#options.store.forget(prefix);
  }

  /** A generation ended; `tokens` of its prompt were evaluated in so many milliseconds. */
  finished(id: number, tokens: number, milliseconds: number): void {
    this.#restoring.delete(id);
    this.#costs.evaluated(tokens, milliseconds);
  }

  /**
   * To be called before the context is closed: saves what idle sequences hold, if the store outlives the process. The
   * promise is settled when all is written.
   */
  close(): Promise<void> {
    const { store, sequences } = this.#options;
    if (store.persistent) {
      for (const { sequence, tokens } of sequences.evictable()) this.giveUp(sequence, tokens);
    }
    return Promise.all(this.#saving).then(() => store.close());
  }

  #wants(sequence: number, key: number, tokens: Int32Array): boolean {
    const { store, sequences, checkpoints } = this.#options;
    const known = this.#wanted.get(key);
    const stored =
      known?.revision === store.revision ? known : { revision: store.revision, wanted: store.wants(tokens) };
    this.#wanted.set(key, stored);
    if (this.#wanted.size > rememberedContents) this.#wanted.clear();
    return stored.wanted && (checkpoints || !sequences.holdsElsewhere(tokens, sequence));
  }

  #put(tokens: Int32Array, state: Uint8Array | undefined): void {
    if (state !== undefined) this.#options.store.put(tokens, state);
  }
}

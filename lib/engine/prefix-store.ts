import { type DiskEntry, DiskTier } from './disk-tier.js';
import { MemoryTier } from './memory-tier.js';
import { PrefixTree } from './prefix-tree.js';
import type { TokenList } from './token-list.js';

/** A prefix outside the KV cache: in memory, in a file, or both. */
export interface StoredPrefix {
  readonly id: number;
  readonly tokens: Int32Array;
  readonly byteSize: number;
  /** What the context restores; undefined if it is only in the file. */
  state: Uint8Array | undefined;
  file: DiskEntry | undefined;
}

/** A stored prefix, and how many of its tokens a prompt begins with. */
export interface StoredMatch {
  readonly prefix: StoredPrefix;
  readonly length: number;
}

/** How a {@link PrefixStore} is set up. */
export interface PrefixStoreOptions {
  /** Most bytes of states in memory; 0 for none. */
  readonly memoryBytes: number;
  /** Where states go that memory has no room for; undefined for nowhere. */
  readonly disk?: {
    readonly directory: string;
    readonly limitBytes: number;
    readonly fingerprint: Uint8Array;
  };
  /** False for models whose states cannot be cut: they serve only prompts that begin with all of their tokens. */
  readonly canCut: boolean;
}

/** What a store holds and what went wrong. */
export interface PrefixStoreCounts {
  readonly memoryEntries: number;
  readonly memoryBytes: number;
  readonly diskEntries: number;
  readonly diskBytes: number;
  readonly refused: number;
  readonly failures: number;
}

/** The counts where there is no store. */
export const nothingStored: PrefixStoreCounts = {
  memoryEntries: 0,
  memoryBytes: 0,
  diskEntries: 0,
  diskBytes: 0,
  refused: 0,
  failures: 0,
};

/** A prefix shorter than this is evaluated again rather than stored. */
export const leastStoredTokens = 64;

/** Writing to the disk may lag behind by so many entries; what comes on top of them is dropped. */
const mostWaitingWrites = 8;

/** Beyond the length of any file: sorts what is in memory first. */
const mostFileBytes = 2 ** 52;

/**
 * Saved prefixes that are no longer in the KV cache, or that a sequence has gone beyond: a tier in memory, and below
 * it one on the disk. Nothing here fails a caller: what cannot be kept or read is evaluated again.
 */
export class PrefixStore {
  readonly #canCut: boolean;
  readonly #memory: MemoryTier<StoredPrefix>;
  readonly #prefixes = new Map<number, StoredPrefix>();
  readonly #byFile = new Map<string, StoredPrefix>();
  readonly #tree = new PrefixTree();
  /** Reads that go on, by the id of the prefix. */
  readonly #reading = new Map<number, Promise<Uint8Array | undefined>>();
  #disk: DiskTier | undefined;
  #nextId = 1;
  #revision = 0;
  #refused = 0;
  #failures = 0;
  #waitingWrites = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor({ memoryBytes, canCut }: PrefixStoreOptions) {
    this.#canCut = canCut;
    this.#memory = new MemoryTier(memoryBytes);
  }

  /** Opens the disk tier, if there is one: what is in its directory is found again. */
  static async open(options: PrefixStoreOptions): Promise<PrefixStore> {
    const store = new PrefixStore(options);
    if (options.disk !== undefined) {
      store.#disk = await DiskTier.open({
        ...options.disk,
        onAdded: (entry) => store.#onFile(entry),
        onRemoved: (entry) => store.#onFileRemoved(entry),
        onDamaged: () => {
          store.#refused++;
        },
      });
    }
    return store;
  }

  /** Whether entries outlive the process. */
  get persistent(): boolean {
    return this.#disk !== undefined;
  }

  /** Another number whenever what is stored has changed. */
  get revision(): number {
    return this.#revision;
  }

  /** What is stored, and what was refused. */
  counts(): PrefixStoreCounts {
    return {
      memoryEntries: this.#memory.size,
      memoryBytes: this.#memory.bytes,
      diskEntries: this.#disk?.size ?? 0,
      diskBytes: this.#disk?.bytes ?? 0,
      refused: this.#refused,
      failures: this.#failures,
    };
  }

  /** Whether these tokens are worth storing: enough of them, and not stored already. */
  wants(tokens: TokenList): boolean {
    return tokens.length >= leastStoredTokens && !this.#covers(tokens);
  }

  /** Takes a state in, unless it is not wanted. Others may have to go. */
  put(tokens: Int32Array, state: Uint8Array): void {
    if (!this.wants(tokens)) return;
    // A state that can be cut serves all that its beginnings did.
    const superseded = this.#canCut ? this.#tree.wholePrefixes(tokens) : [];
    for (const { sequence: id } of superseded) this.forget(this.#prefixes.get(id));
    const prefix = this.#add(tokens, state.length + tokens.byteLength);
    prefix.state = state;
    this.#intoMemory(prefix);
  }

  /**
   * The stored prefix that serves most of a prompt: at least one token is left to evaluate, for its logits.
   * Undefined if none serves more than `beyond` tokens.
   */
  find(prompt: TokenList, beyond: number): StoredMatch | undefined {
    const most = prompt.length - 1;
    const { ids, length } = this.#canCut ? this.#findShared(prompt) : this.#findWhole(prompt, most);
    const usable = Math.min(length, most);
    if (usable <= beyond) return undefined;
    const prefixes = ids.map((id) => this.#prefixes.get(id)).filter((prefix) => prefix !== undefined);
    // From memory rather than from a file, and no more than needed.
    const cost = ({ state, byteSize }: StoredPrefix) => byteSize + (state === undefined ? mostFileBytes : 0);
    const [prefix] = prefixes.sort((a, b) => cost(a) - cost(b));
    return prefix === undefined ? undefined : { prefix, length: usable };
  }

  /** Notes that a prefix in memory was used now. */
  touch(prefix: StoredPrefix): void {
    this.#memory.touch(prefix);
  }

  /** The state of a prefix, read from the disk if it must be; undefined if it is lost. */
  async load(prefix: StoredPrefix): Promise<Uint8Array | undefined> {
    const { state, file } = prefix;
    if (state !== undefined) {
      this.#memory.touch(prefix);
      return state;
    }
    if (file === undefined || this.#disk === undefined) return undefined;
    const reading = this.#reading.get(prefix.id) ?? this.#read(prefix, file, this.#disk);
    this.#reading.set(prefix.id, reading);
    return reading.finally(() => this.#reading.delete(prefix.id));
  }

  /** Drops a prefix whose state turned out to be damaged. */
  refuse(prefix: StoredPrefix): void {
    this.#refused++;
    this.forget(prefix);
  }

  /** Drops a prefix, its file included. */
  forget(prefix: StoredPrefix | undefined): void {
    if (prefix === undefined) return;
    const { file } = prefix;
    this.#remove(prefix);
    if (file !== undefined) this.#disk?.delete(file).catch(() => {});
  }

  /** Writes what is only in memory to the disk, if there is a disk tier, and waits for all writes. */
  async close(): Promise<void> {
    for (const prefix of this.#memory.items()) this.#write(prefix);
    await this.#writing;
  }

  async #read(prefix: StoredPrefix, file: DiskEntry, disk: DiskTier): Promise<Uint8Array | undefined> {
    try {
      const read = await disk.read(file);
      if (read !== undefined && this.#prefixes.has(prefix.id)) {
        prefix.state = read;
        this.#intoMemory(prefix);
      }
      return read;
    } catch {
      this.#failures++;
      this.#remove(prefix);
      return undefined;
    }
  }

  #findShared(prompt: TokenList): { readonly ids: number[]; readonly length: number } {
    const { length, sequences } = this.#tree.longestPrefix(prompt);
    return { ids: [...sequences], length };
  }

  #findWhole(prompt: TokenList, most: number): { readonly ids: number[]; readonly length: number } {
    const longest = this.#tree
      .wholePrefixes(prompt)
      .filter(({ length }) => length <= most)
      .at(-1);
    return longest === undefined
      ? { ids: [], length: 0 }
      : { ids: [longest.sequence], length: longest.length };
  }

  #covers(tokens: TokenList): boolean {
    if (this.#canCut) return this.#tree.longestPrefix(tokens).length === tokens.length;
    return this.#tree.wholePrefixes(tokens).some(({ length }) => length === tokens.length);
  }

  #add(tokens: Int32Array, byteSize: number): StoredPrefix {
    const id = this.#nextId++;
    const prefix: StoredPrefix = { id, tokens, byteSize, state: undefined, file: undefined };
    this.#prefixes.set(id, prefix);
    this.#tree.set(id, tokens);
    this.#revision++;
    return prefix;
  }

  #remove(prefix: StoredPrefix): void {
    this.#prefixes.delete(prefix.id);
    this.#tree.delete(prefix.id);
    this.#memory.delete(prefix);
    if (prefix.file !== undefined) this.#byFile.delete(prefix.file.name);
    this.#revision++;
  }

  #intoMemory(prefix: StoredPrefix): void {
    for (const gone of this.#memory.put(prefix)) {
      if (gone.file === undefined && this.#disk !== undefined && this.#waitingWrites < mostWaitingWrites) {
        this.#write(gone);
      } else if (gone.file === undefined) {
        this.#remove(gone);
      } else {
        gone.state = undefined;
      }
    }
  }

  /** Writes a prefix after those before it; until then it is served from memory. */
  #write(prefix: StoredPrefix): void {
    const disk = this.#disk;
    const { tokens, state } = prefix;
    if (disk === undefined || state === undefined || prefix.file !== undefined) return;
    this.#waitingWrites++;
    this.#writing = this.#writing.then(async () => {
      try {
        // It may have been dropped meanwhile.
        if (this.#prefixes.has(prefix.id)) await disk.write(tokens, state);
      } catch {
        this.#failures++; // such as a full disk
      }
      this.#waitingWrites--;
      this.#settle(prefix);
    });
  }

  /** After a write: what memory no longer holds is in the file now, or nowhere. */
  #settle(prefix: StoredPrefix): void {
    if (!this.#prefixes.has(prefix.id) || this.#memory.has(prefix)) return;
    if (prefix.file === undefined) this.#remove(prefix);
    else prefix.state = undefined;
  }

  #onFile(entry: DiskEntry): void {
    const known = this.#tree
      .wholePrefixes(entry.tokens)
      .map(({ sequence: id }) => this.#prefixes.get(id))
      .find((prefix) => prefix?.tokens.length === entry.tokens.length && prefix.file === undefined);
    const prefix = known ?? this.#add(entry.tokens, entry.byteSize);
    prefix.file = entry;
    this.#byFile.set(entry.name, prefix);
  }

  #onFileRemoved(entry: DiskEntry): void {
    const prefix = this.#byFile.get(entry.name);
    if (prefix === undefined) return;
    this.#byFile.delete(entry.name);
    prefix.file = undefined;
    if (prefix.state === undefined) this.#remove(prefix);
  }
}

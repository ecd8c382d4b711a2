import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createError, type LlamaNativeError } from '../errors.js';
import { makeDirectory } from '../files/make-directory.js';
import {
  boundStateLength,
  encodeEntryHead,
  entryExtension,
  entryName,
  fixedLength,
  parseEntryLayout,
  parseEntryTokens,
} from './disk-entry.js';

/** A prefix in a file. */
export interface DiskEntry {
  /** Of the file in the directory. */
  readonly name: string;
  readonly tokens: Int32Array;
  /** Of the whole file. */
  readonly byteSize: number;
}

/** How a {@link DiskTier} is set up. */
export interface DiskTierOptions {
  /** Made where it is missing. Processes may share it. */
  readonly directory: string;
  /** Most bytes of all entries in the directory, those of other models and processes included. */
  readonly limitBytes: number;
  /** SHA-256 of all that a saved state depends on. */
  readonly fingerprint: Uint8Array;
  /** Told of an entry of this model that was found or written. */
  readonly onAdded: (entry: DiskEntry) => void;
  /** Told of an entry that is no longer there. */
  readonly onRemoved: (entry: DiskEntry) => void;
  /** Told of an entry that was found damaged, and deleted. */
  readonly onDamaged: () => void;
}

/** Read and written at once: others of the few threads for files get their turn in between. */
const pieceLength = 4 << 20;

const unfinishedExtension = '.incomplete';

/** An unfinished file that is older was left behind by a process that ended. */
const abandonedAfterMs = 60 * 60 * 1000;

/**
 * Makes a directory for entries, and makes sure that it can be written to.
 * @throws LlamaNativeError FILE_ACCESS_FAILED.
 */
export async function prepareCacheDirectory(directory: string): Promise<void> {
  const probe = join(directory, `${randomUUID()}${unfinishedExtension}`);
  try {
    await makeDirectory(directory);
    await (await open(probe, 'wx')).close();
    await rm(probe, { force: true });
  } catch (error) {
    throw unusable(directory, error);
  }
}

function unusable(directory: string, error: unknown): LlamaNativeError {
  const reason = error instanceof Error ? error.message : String(error);
  return createError(
    'FILE_ACCESS_FAILED',
    `Expected prefixCache.directory to be a directory that can be read and written; ${directory} is not: ${reason} ` +
      'Name another one, or leave the option out.',
    { cause: error, details: { path: directory } },
  );
}

/**
 * Prefixes in files, within a number of bytes: those unused longest are deleted first. Each file appears whole, by a
 * rename. What is damaged is deleted; what is no entry, or of another version, is left alone.
 */
export class DiskTier {
  readonly #options: DiskTierOptions;
  readonly #entries = new Map<string, DiskEntry>();
  /** Files that are not entries of this model, by name: they are looked into once. */
  readonly #others = new Map<string, 'foreign' | 'other model'>();

  private constructor(options: DiskTierOptions) {
    this.#options = options;
  }

  /**
   * Reads the beginnings of what is in the directory.
   * @throws LlamaNativeError FILE_ACCESS_FAILED.
   */
  static async open(options: DiskTierOptions): Promise<DiskTier> {
    const tier = new DiskTier(options);
    await tier.#refresh().catch((error: unknown) => {
      throw unusable(options.directory, error);
    });
    return tier;
  }

  /** Number of entries of this model. */
  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of the entries of this model. */
  get bytes(): number {
    return [...this.#entries.values()].reduce((sum, entry) => sum + entry.byteSize, 0);
  }

  /** Writes a prefix. Nothing happens if it is larger than everything, or if it is there already. */
  async write(tokens: Int32Array, state: Uint8Array): Promise<void> {
    const { directory, limitBytes, fingerprint } = this.#options;
    const head = encodeEntryHead(fingerprint, tokens, state);
    const byteSize = head.length + state.length;
    const name = entryName(fingerprint, tokens);
    if (byteSize > limitBytes || this.#entries.has(name)) return;
    const temporary = join(directory, `${name}.${randomUUID()}${unfinishedExtension}`);
    try {
      const file = await open(temporary, 'wx', 0o600); // prompts are nobody else's business
      try {
        await writeAll(file, head);
        await writeAll(file, state);
      } finally {
        await file.close();
      }
      await rename(temporary, join(directory, name));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
    this.#add({ name, tokens, byteSize });
    await this.#refresh();
  }

  /** The state of an entry; undefined if the file is gone or damaged. What the state itself holds is not checked. */
  async read(entry: DiskEntry): Promise<Uint8Array | undefined> {
    const path = join(this.#options.directory, entry.name);
    const file = await open(path, 'r').catch(() => undefined);
    if (file === undefined) {
      this.#drop(entry);
      return undefined;
    }
    try {
      const { size } = await file.stat();
      const found = await readHead(file, size);
      if (typeof found === 'string' || !sameTokens(found.tokens, entry.tokens)) {
        await this.refuse(entry);
        return undefined;
      }
      const state = await readExactly(file, size - found.stateOffset, found.stateOffset);
      const now = new Date();
      await utimes(path, now, now).catch(() => {}); // the order in which entries are deleted
      return state;
    } finally {
      await file.close();
    }
  }

  /** Deletes an entry that was found damaged. */
  async refuse(entry: DiskEntry): Promise<void> {
    this.#options.onDamaged();
    await this.delete(entry);
  }

  /** Deletes an entry. */
  async delete(entry: DiskEntry): Promise<void> {
    this.#drop(entry);
    await rm(join(this.#options.directory, entry.name), { force: true }).catch(() => {});
  }

  #add(entry: DiskEntry): void {
    this.#others.delete(entry.name);
    this.#entries.set(entry.name, entry);
    this.#options.onAdded(entry);
  }

  #drop(entry: DiskEntry): void {
    if (this.#entries.delete(entry.name)) this.#options.onRemoved(entry);
  }

  /** Brings the picture of the directory up to date, and keeps it within its bound. */
  async #refresh(): Promise<void> {
    const files = await this.#list();
    const present = new Set(files.map(({ name }) => name));
    for (const entry of [...this.#entries.values()]) {
      if (!present.has(entry.name)) this.#drop(entry);
    }
    for (const { name, size } of files) {
      if (!this.#entries.has(name) && !this.#others.has(name)) await this.#discover(name, size);
    }
    const ours = files.filter(
      ({ name }) => this.#entries.has(name) || this.#others.get(name) === 'other model',
    );
    let total = ours.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of ours.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#options.limitBytes) break;
      total -= size;
      await this.delete(this.#entries.get(name) ?? { name, tokens: new Int32Array(), byteSize: size });
    }
  }

  /** All entries in the directory. Unfinished files that were left behind are deleted. */
  async #list(): Promise<{ readonly name: string; readonly size: number; readonly usedMs: number }[]> {
    const { directory } = this.#options;
    const files: { name: string; size: number; usedMs: number }[] = [];
    for (const name of await readdir(directory)) {
      const isEntry = name.endsWith(entryExtension);
      const isUnfinished = name.includes(`${entryExtension}.`) && name.endsWith(unfinishedExtension);
      if (!isEntry && !isUnfinished) continue;
      const found = await stat(join(directory, name)).catch(() => undefined);
      if (found === undefined || !found.isFile()) continue;
      if (isEntry) {
        files.push({ name, size: found.size, usedMs: found.mtimeMs });
      } else if (Date.now() - found.mtimeMs > abandonedAfterMs) {
        await rm(join(directory, name), { force: true }).catch(() => {});
      }
    }
    return files;
  }

  /** Takes up an entry that this or another process wrote before, if it is one of this model. */
  async #discover(name: string, size: number): Promise<void> {
    const { directory, fingerprint, onDamaged } = this.#options;
    const file = await open(join(directory, name), 'r').catch(() => undefined);
    if (file === undefined) return;
    try {
      const head = await readHead(file, size);
      if (head === 'damaged') {
        onDamaged();
        await rm(join(directory, name), { force: true });
      } else if (head === 'foreign') {
        this.#others.set(name, 'foreign');
      } else if (head.fingerprint.equals(fingerprint)) {
        this.#add({ name, tokens: head.tokens, byteSize: size });
      } else {
        this.#others.set(name, 'other model');
      }
    } catch {
      // It cannot be read now: then it is as if it were not there.
    } finally {
      await file.close();
    }
  }
}

interface EntryHead {
  readonly tokens: Int32Array;
  readonly fingerprint: Buffer;
  readonly stateOffset: number;
}

async function readHead(file: FileHandle, fileLength: number): Promise<EntryHead | 'foreign' | 'damaged'> {
  const fixed = await readExactly(file, Math.min(fixedLength, fileLength), 0);
  const layout = parseEntryLayout(fixed, fileLength);
  if (typeof layout === 'string') return layout;
  const stateOffset = fixedLength + layout.tokenCount * 4;
  const bound = Math.min(boundStateLength, layout.stateLength);
  const rest = await readExactly(file, layout.tokenCount * 4 + bound, fixedLength);
  const tokens = parseEntryTokens(
    fixed,
    rest.subarray(0, layout.tokenCount * 4),
    rest.subarray(layout.tokenCount * 4),
  );
  return tokens === undefined ? 'damaged' : { tokens, fingerprint: layout.fingerprint, stateOffset };
}

async function readExactly(file: FileHandle, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const wanted = Math.min(pieceLength, length - filled);
    const { bytesRead } = await file.read(bytes, filled, wanted, position + filled);
    if (bytesRead === 0) throw new RangeError('The file became shorter while it was read.');
    filled += bytesRead;
  }
  return bytes;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const length = Math.min(pieceLength, bytes.length - written);
    written += (await file.write(bytes, written, length)).bytesWritten;
  }
}

function sameTokens(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((token, index) => token === b[index]);
}

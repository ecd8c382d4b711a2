import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { writeWhole } from './cache-layout.js';
import { partsOf } from './quantization.js';

/** What is known of a file that came from a web address. */
interface UrlRecord {
  readonly url: string;
  readonly version: string;
  readonly etag: string;
  readonly files: readonly string[];
}

/**
 * The place of one web address in the cache: a repository of its own, so that the tools of Hugging Face, which know
 * nothing else, list its size and can delete it.
 *
 *     models--llama-native--url-<hash of the address>/
 *       .llama-native/source.json   address and current version; written when all files are there
 *       blobs/<version>/            what is being fetched
 *       snapshots/<version>/<file>  one folder for each version the server had, so that two never mix
 */
export class UrlCache {
  readonly directory: string;
  /** The file's name; for a split model, the names of all parts. */
  readonly files: readonly string[];
  readonly #base: string;

  constructor(cacheDirectory: string, url: string) {
    const address = new URL(url);
    const segments = address.pathname.split('/');
    const name = safeName(segments.at(-1) ?? '');
    this.files = partsOf(name);
    address.pathname = [...segments.slice(0, -1), encodeURIComponent(this.files[0] ?? name)].join('/');
    this.#base = address.href;
    const key = createHash('sha256').update(address.href).digest('hex').slice(0, 32);
    this.directory = join(cacheDirectory, `${folderPrefix}${key}`);
  }

  /** The address of a part. */
  urlOf(file: string): string {
    if (file === this.files[0]) return this.#base;
    const address = new URL(this.#base);
    address.pathname = [...address.pathname.split('/').slice(0, -1), encodeURIComponent(file)].join('/');
    return address.href;
  }

  pathOf(version: string, file: string): string {
    return join(this.directory, 'snapshots', version, file);
  }

  /** Where a file is while it is fetched. */
  partialPathOf(version: string, file: string): string {
    return join(this.directory, 'blobs', version, `${file}.llama-native.incomplete`);
  }

  lockPathOf(version: string, file: string): string {
    return join(dirname(this.directory), '.locks', basename(this.directory), `${version}-${file}.lock`);
  }

  /** Makes the folder of a version; without it, other tools take the rest for damage. */
  async prepare(version: string): Promise<void> {
    await makeDirectory(join(this.directory, 'snapshots', version));
  }

  /** The record, if all files it names are there. */
  async readComplete(): Promise<UrlRecord | undefined> {
    const record = await readRecord(this.directory);
    if (record === undefined) return undefined;
    for (const file of record.files) {
      const info = await stat(this.pathOf(record.version, file)).catch(() => undefined);
      if (!info?.isFile()) return undefined;
    }
    return record;
  }

  /** Makes a version the current one, and deletes the others. */
  async complete(version: string, etag: string): Promise<void> {
    const record: UrlRecord = { url: this.#base, version, etag, files: this.files };
    await makeDirectory(dirname(recordPath(this.directory)));
    await writeWhole(recordPath(this.directory), JSON.stringify(record));
    await rm(join(this.directory, 'blobs'), { recursive: true, force: true });
    const snapshots = join(this.directory, 'snapshots');
    for (const name of await readdir(snapshots)) {
      if (name !== version) await rm(join(snapshots, name), { recursive: true, force: true });
    }
  }
}

const folderPrefix = 'models--llama-native--url-';

/** True for the folder of a web address in the cache. */
export function isUrlFolder(directory: string): boolean {
  return basename(directory).startsWith(folderPrefix);
}

function recordPath(directory: string): string {
  return join(directory, '.llama-native', 'source.json');
}

/** A short name for one version of a file. */
export function versionOf(etag: string, sizeBytes: number | undefined): string {
  return createHash('sha256').update(`${etag}\n${sizeBytes}`).digest('hex').slice(0, 16);
}

/** All web addresses in the cache, with the folders that hold them. */
export async function listUrlRecords(cacheDirectory: string): Promise<(UrlRecord & { directory: string })[]> {
  const records = [];
  for (const name of await readdir(cacheDirectory).catch(() => [])) {
    const directory = join(cacheDirectory, name);
    const record = isUrlFolder(name) ? await readRecord(directory) : undefined;
    if (record !== undefined) records.push({ ...record, directory });
  }
  return records;
}

async function readRecord(directory: string): Promise<UrlRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(recordPath(directory), 'utf8'));
    const { url, version, etag, files } = value as Partial<Record<keyof UrlRecord, unknown>>;
    const isSound = typeof url === 'string' && typeof version === 'string' && /^[0-9a-f]{16}$/.test(version);
    if (!isSound || typeof etag !== 'string' || !Array.isArray(files) || files.length === 0) return undefined;
    return { url, version, etag, files: files.map((file) => safeName(String(file))) };
  } catch {
    return undefined;
  }
}

/** The last part of an address as a file name that every system allows. */
function safeName(segment: string): string {
  let name = segment;
  try {
    name = decodeURIComponent(segment);
  } catch {
    // A wrong percent-escape stays as it is.
  }
  const safe = name.replace(/[^\w.() +-]/g, '_').replace(/^\.+/, '_');
  return safe === '' ? 'model.gguf' : safe.slice(-200);
}

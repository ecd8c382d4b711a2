import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from './cache-layout.js';

/** What a converted file was made of. */
export interface ConvertedRecord {
  /** `owner/name` on the hub, or the path of a folder. */
  readonly source: string;
  /** The commit; an empty text for a folder. */
  readonly revision: string;
  /** What was asked for, such as the type. */
  readonly options: string;
  /** Name of the file beside the record. */
  readonly file: string;
}

/** A converted file in the cache. */
export interface ConvertedModel extends ConvertedRecord {
  readonly directory: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly lastModified: Date;
}

/**
 * The place of one converted checkpoint in the cache, beside the repositories:
 *
 *     .llama-native/converted/<key>/
 *       source.json               what it was made of; written when the file is there
 *       <name>.gguf
 *
 * The key stands for the content of the checkpoint, the options and the version of the converter, so that a file with
 * this key never has to change.
 */
export class ConvertedCache {
  readonly cacheDirectory: string;
  readonly directory: string;
  readonly lockPath: string;

  constructor(cacheDirectory: string, content: readonly string[]) {
    this.cacheDirectory = cacheDirectory;
    const key = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32);
    this.directory = join(convertedDirectory(cacheDirectory), key);
    this.lockPath = join(cacheDirectory, '.locks', `converted-${key}.llama-native.lock`);
  }

  /** Path of the file, if it is there. */
  async find(): Promise<string | undefined> {
    return (await readEntry(this.directory))?.path;
  }

  async remember(record: ConvertedRecord): Promise<void> {
    await writeWhole(join(this.directory, 'source.json'), JSON.stringify(record));
  }
}

function convertedDirectory(cacheDirectory: string): string {
  return join(cacheDirectory, '.llama-native', 'converted');
}

/** All converted files in the cache. */
export async function listConverted(cacheDirectory: string): Promise<ConvertedModel[]> {
  const parent = convertedDirectory(cacheDirectory);
  const names = await readdir(parent).catch(() => []);
  const entries = await Promise.all(names.map((name) => readEntry(join(parent, name))));
  return entries.filter((entry) => entry !== undefined);
}

/** Removes what was made of earlier contents of a folder with the same options. */
export async function removeOutdated(cacheDirectory: string, current: ConvertedRecord, directory: string) {
  for (const entry of await listConverted(cacheDirectory)) {
    const isSame = entry.source === current.source && entry.options === current.options;
    if (!isSame || entry.directory === directory) continue;
    // Where a file that is in use cannot be removed, it stays.
    await rm(entry.directory, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function readEntry(directory: string): Promise<ConvertedModel | undefined> {
  const record = await readRecord(directory);
  if (record === undefined) return undefined;
  const path = join(directory, record.file);
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return undefined;
  return { ...record, directory, path, sizeBytes: info.size, lastModified: info.mtime };
}

async function readRecord(directory: string): Promise<ConvertedRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, 'source.json'), 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is ConvertedRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { source, revision, options, file } = value as Partial<Record<keyof ConvertedRecord, unknown>>;
  const areTexts = [source, revision, options, file].every((text) => typeof text === 'string');
  return areTexts && /^[^/\\\0]+\.gguf$/.test(file as string);
}

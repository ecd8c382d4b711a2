import { checkInteger, checkKeys, invalidArgument } from '../arguments.js';

/**
 * Where prefixes go that the KV cache gives up: into memory, and from there into files. Both are bounded; what was
 * unused longest goes first.
 */
export interface PrefixCacheOptions {
  /**
   * Most bytes of saved prefixes in memory; 0 turns this tier off. Default: 256 MiB, or an eighth of the free memory if
   * that is less.
   */
  memoryBytes?: number;
  /**
   * A directory for prefixes that memory has no room for, made if it is missing; when the model is closed, all others
   * are written there too. They are found again in the next process, and processes may share the directory. The files
   * hold the tokens of prompts and answers; only their owner may read them. Default: none.
   */
  directory?: string;
  /** Most bytes of all files in `directory`, those of other models included. Default 4 GiB. */
  diskBytes?: number;
}

/** Options with all defaults filled in. */
export interface PrefixCacheSettings {
  readonly memoryBytes: number;
  readonly directory: string | undefined;
  readonly diskBytes: number;
}

const defaultMemoryBytes = 256 * 2 ** 20;
const defaultMemoryShare = 1 / 8;
const defaultDiskBytes = 4 * 2 ** 30;

/**
 * Checks the option `prefixCache`.
 * @throws InvalidArgumentError naming the option, what was expected and what was received.
 */
export function checkPrefixCacheOptions(options: PrefixCacheOptions | undefined): void {
  if (options === undefined) return;
  checkKeys('prefixCache', options, ['memoryBytes', 'directory', 'diskBytes']);
  const { memoryBytes, directory, diskBytes } = options;
  checkInteger('prefixCache.memoryBytes', memoryBytes, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('prefixCache.diskBytes', diskBytes, 1, Number.MAX_SAFE_INTEGER);
  const isPath = typeof directory === 'string' && directory !== '' && !directory.includes('\0');
  if (directory !== undefined && !isPath)
    throw invalidArgument('prefixCache.directory', 'the path of a directory', directory);
  if (diskBytes !== undefined && directory === undefined)
    throw invalidArgument('prefixCache.directory', 'a directory beside diskBytes', directory);
}

/** @param freeBytes memory that the process may still take. */
export function toPrefixCacheSettings(
  options: PrefixCacheOptions | undefined,
  freeBytes: number,
): PrefixCacheSettings {
  const share = Math.floor(freeBytes * defaultMemoryShare);
  return {
    memoryBytes: options?.memoryBytes ?? Math.min(defaultMemoryBytes, share),
    directory: options?.directory,
    diskBytes: options?.diskBytes ?? defaultDiskBytes,
  };
}

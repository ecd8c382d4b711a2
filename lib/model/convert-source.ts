import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { checkKeys, invalidArgument } from '../arguments.js';
import { requantizeTypes } from '../convert/gptq/index.js';
import { type ConvertOptions, type ConvertType, convert, type RequantizeType } from '../convert/index.js';
import { convertTypes } from '../convert/tensors/output-type.js';
import { createError, LlamaNativeError } from '../errors.js';
import { isCommit } from '../hub/cache-layout.js';
import { ConvertedCache, type ConvertedRecord, removeOutdated } from '../hub/converted-cache.js';
import { explainSystemFailure } from '../hub/hub-errors.js';
import { withLock } from '../hub/lock.js';
import { defaultTuning, resolveCacheDirectory } from '../hub/settings.js';
import type { LoadModelOptions } from './types.js';

/** How a checkpoint is converted before it is loaded. */
export interface LoadConvertOptions {
  /**
   * Type of most tensors. Default: `q8_0`, half the size of 16 bits at an error of half a percent; for GPTQ
   * checkpoints the quantized layers keep their numbers, and the other tensors become f16.
   */
  type?: ConvertType;
  /** As for `convert`: type of GPTQ layers whose numbers cannot be kept. Default `q8_0`. */
  requantize?: RequantizeType;
}

/** Goes up when the same checkpoint would become another file. */
const converterVersion = 1;

/** Checks the option `convert` of `loadModel`. */
export function checkConvertOptions(options: LoadConvertOptions | undefined): void {
  if (options === undefined) return;
  checkKeys('convert', options, ['type', 'requantize']);
  const { type, requantize } = options;
  if (type !== undefined && !convertTypes.includes(type)) {
    throw invalidArgument('convert.type', `one of ${convertTypes.join(', ')}`, type);
  }
  if (requantize !== undefined && !requantizeTypes.includes(requantize)) {
    throw invalidArgument('convert.requantize', `one of ${requantizeTypes.join(', ')}`, requantize);
  }
}

/** Whether a path is that of a checkpoint rather than of a model file. */
export async function isCheckpointFolder(path: string): Promise<boolean> {
  const info = await stat(join(path, 'config.json')).catch(() => undefined);
  return info?.isFile() === true;
}

/**
 * Path of the GGUF file that a checkpoint becomes, made if it is not in the cache. Of several processes that want the
 * same one, one makes it and the others wait.
 * @param repository `owner/name` for a checkpoint of the hub.
 */
export async function convertIntoCache(
  folder: string,
  repository: string | undefined,
  options: LoadModelOptions,
): Promise<string> {
  const wanted = options.convert ?? {};
  const cacheDirectory = resolveCacheDirectory(options.cacheDirectory);
  const described = JSON.stringify({ type: wanted.type ?? null, requantize: wanted.requantize ?? null });
  const cache = new ConvertedCache(cacheDirectory, [
    String(converterVersion),
    described,
    basename(resolve(folder)),
    ...(await describeFiles(folder)),
  ]);
  const found = await cache.find();
  if (found !== undefined) return found;
  return makeConverted(cache, { folder, repository, described }, options).catch(async (error: unknown) => {
    throw namePlaceOfCache(await explainSystemFailure(error, { cacheDirectory }), cacheDirectory);
  });
}

/** Nobody chose the path of the file, so another one cannot be named. */
function namePlaceOfCache(error: unknown, cacheDirectory: string): unknown {
  if (!LlamaNativeError.isInstance(error) || error.code !== 'DISK_FULL') return error;
  const message =
    `${error.message} The file belongs into the cache of models, ${cacheDirectory}; HF_HUB_CACHE or the option ` +
    '`cacheDirectory` names another one.';
  return createError('DISK_FULL', message, { cause: error, details: { ...error.details, cacheDirectory } });
}

/** What is to be converted. */
interface ConversionTask {
  readonly folder: string;
  readonly repository: string | undefined;
  /** The options, as text. */
  readonly described: string;
}

async function makeConverted(
  cache: ConvertedCache,
  { folder, repository, described }: ConversionTask,
  options: LoadModelOptions,
): Promise<string> {
  const { signal, onProgress, convert: wanted = {} } = options;
  return withLock(cache.lockPath, { signal, tuning: defaultTuning }, async () => {
    const made = await cache.find();
    if (made !== undefined) return made;
    const name = repository?.split('/').at(-1) ?? basename(resolve(folder));
    const convertOptions = withDefaultType(wanted, await isQuantized(folder));
    const file = `${safeName(name)}-${convertOptions.type ?? 'gptq'}.gguf`;
    const path = join(cache.directory, file);
    await convert(folder, path, {
      ...convertOptions,
      overwrite: true,
      ...(signal === undefined ? {} : { signal }),
      onProgress: (progress) => {
        if (progress.stage === 'convert') onProgress?.(progress);
      },
    });
    const record = recordOf(folder, repository, described, file);
    await cache.remember(record);
    if (repository === undefined) await removeOutdated(cache.cacheDirectory, record, cache.directory);
    return path;
  });
}

function recordOf(
  folder: string,
  repository: string | undefined,
  options: string,
  file: string,
): ConvertedRecord {
  const name = basename(resolve(folder));
  if (repository === undefined) return { source: resolve(folder), revision: '', options, file };
  return { source: repository, revision: isCommit(name) ? name : '', options, file };
}

function withDefaultType(wanted: LoadConvertOptions, isGptq: boolean): ConvertOptions {
  return wanted.type === undefined && !isGptq ? { ...wanted, type: 'q8_0' } : wanted;
}

/** Without a look at the weights: whoever has these settings is GPTQ, or is refused. */
async function isQuantized(folder: string): Promise<boolean> {
  const config = await readFile(join(folder, 'config.json'), 'utf8').catch(() => '');
  const beside = await stat(join(folder, 'quantize_config.json')).catch(() => undefined);
  return config.includes('"quantization_config"') || beside !== undefined;
}

function safeName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]/gu, '_').slice(0, 100);
}

/** Files that a conversion reads. */
const readFiles = /\.(safetensors|json|txt|model|jinja|tiktoken|md)$/;
const largestHashed = 64 << 20;

/** Name and content of each file of a checkpoint: by hash where it is known or the file small, else by size and time. */
async function describeFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const files = names.filter((name) => readFiles.test(name) && name.split(/[/\\]/).length <= 2).sort();
  const described: string[] = [];
  for (const name of files) {
    const description = await describeFile(join(folder, name));
    if (description !== undefined) described.push(`${name.replaceAll('\\', '/')} ${description}`);
  }
  return described;
}

async function describeFile(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return undefined;
  const hash = basename(await realpath(path));
  // The cache of the hub names files by their hash.
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)) return hash;
  if (path.endsWith('.safetensors') || info.size > largestHashed) return `${info.size} ${info.mtimeMs}`;
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

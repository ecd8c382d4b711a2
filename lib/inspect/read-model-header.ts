import { checkBoolean, checkKeys, checkSignal, checkString } from '../arguments.js';
import { LlamaNativeError } from '../errors.js';
import { readGgufHeader as readFileHeader, readHeaderFrom } from '../gguf/read-header.js';
import { readSplits } from '../gguf/splits.js';
import { type GgufMetadata, summarizeGguf } from '../gguf/summary.js';
import type { GgufHeader } from '../gguf/types.js';
import { withRemoteBytes } from '../hub/remote-model.js';
import { resolveModelWith } from '../hub/resolve-model.js';
import { readSettings, type Tuning } from '../hub/settings.js';
import { parseModelSource } from '../hub/source.js';
import type { HubSource, UrlSource } from '../hub/types.js';

/** Options of {@link readGgufHeader} and {@link readGgufMetadata}. All but `signal` concern remote files. */
export interface ReadGgufOptions {
  /** Access token for the hub. Default: `HF_TOKEN`, then the token file of the Hugging Face tools. */
  token?: string;
  /** The hub's address. Default: `HF_ENDPOINT`, then the Hugging Face hub. */
  endpoint?: string;
  /** Where downloaded models are; one that is complete there is read there. Default: the Hugging Face cache. */
  cacheDirectory?: string;
  /** Read only what is on this machine. Default: true when `HF_HUB_OFFLINE` is set to 1. */
  offline?: boolean;
  /** Stops the reading. */
  signal?: AbortSignal;
}

const optionNames = ['token', 'endpoint', 'cacheDirectory', 'offline', 'signal'] as const;

/**
 * Reads everything before the tensor data of a GGUF file: milliseconds, whatever its size. Of a file on the hub or a web
 * server only the beginning is fetched, in one request for nearly all models; nothing is kept. Arrays stay compact: a
 * vocabulary is not turned into strings before it is asked for.
 *
 * @param source a path, `hf:owner/repo[@revision][:file-or-quantization]`, or an https URL.
 * @throws ModelLoadError MODEL_NOT_FOUND; MODEL_INVALID when it is not GGUF or is damaged (the message says what it seems
 * to be); MODEL_UNSUPPORTED for a version or byte order that llama.cpp does not read.
 * @throws DownloadError REPOSITORY_NOT_FOUND, FILE_NOT_IN_REPOSITORY, UNAUTHORIZED, DOWNLOAD_FAILED.
 * @throws InvalidArgumentError INVALID_ARGUMENT, SOURCE_INVALID. @throws AbortError when `signal` fires.
 *
 * @example
 * ```ts
 * const header = await readGgufHeader('hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M');
 * console.log(header.tensors.length, header.metadata.get('general.architecture'));
 * ```
 */
export async function readGgufHeader(source: string, options: ReadGgufOptions = {}): Promise<GgufHeader> {
  return readHeaderWith(source, options);
}

/**
 * The headers of all files of a model: one for most, more for a split one, of which the first is named. They are what
 * {@link estimateMemory} takes.
 *
 * @throws what {@link readGgufHeader} throws; MODEL_NOT_FOUND or FILE_NOT_IN_REPOSITORY where a part is missing.
 */
export async function readGgufHeaders(source: string, options: ReadGgufOptions = {}): Promise<GgufHeader[]> {
  const first = await readHeaderWith(source, options);
  return readSplits(first, (name) => readHeaderWith(name, options));
}

/**
 * Reads what a GGUF file says about its model, without loading or downloading it. For a split model, name the first file:
 * its tensors are those of that file, `splitCount` says how many there are.
 *
 * @throws what {@link readGgufHeader} throws.
 */
export async function readGgufMetadata(source: string, options: ReadGgufOptions = {}): Promise<GgufMetadata> {
  const header = await readHeaderWith(source, options);
  return { ...summarizeGguf(header), metadata: header.metadata };
}

/** {@link readGgufHeader} with other times to wait, for tests. */
export async function readHeaderWith(
  source: string,
  options: ReadGgufOptions,
  tuning?: Tuning,
): Promise<GgufHeader> {
  checkKeys('options', options, optionNames);
  for (const name of ['token', 'endpoint', 'cacheDirectory'] as const) checkString(name, options[name]);
  checkBoolean('offline', options.offline);
  checkSignal(options.signal);
  const reading = options.signal === undefined ? {} : { signal: options.signal };
  if (typeof source !== 'string' || !/^(hf|https?|file):/i.test(source))
    return readFileHeader(source, reading);
  const parsed = parseModelSource(source);
  if (parsed.kind === 'file') return readFileHeader(parsed.path, reading);
  const path = await findOnThisMachine(source, options);
  if (path !== undefined) return readFileHeader(path, reading);
  return readRemoteHeader(parsed, options, tuning);
}

async function readRemoteHeader(
  source: HubSource | UrlSource,
  options: ReadGgufOptions,
  tuning: Tuning | undefined,
): Promise<GgufHeader> {
  const settings = await readSettings(options, tuning);
  const reading = options.signal === undefined ? {} : { signal: options.signal };
  return withRemoteBytes(source, settings, (bytes) => readHeaderFrom(bytes, reading));
}

/** What was downloaded needs no network. Offline, that it was not is the error. */
async function findOnThisMachine(source: string, options: ReadGgufOptions): Promise<string | undefined> {
  const { offline } = await readSettings(options);
  try {
    return await resolveModelWith(source, { ...options, offline: true });
  } catch (error) {
    const isAbsent = LlamaNativeError.isInstance(error) && error.code === 'DOWNLOAD_FAILED';
    if (!offline && isAbsent) return undefined;
    throw error;
  }
}

import { LlamaNativeError } from '../errors.js';
import { isKnownCheckpoint } from '../hub/checkpoint-source.js';
import {
  downloadCheckpoint,
  parseModelSource,
  type ResolveModelOptions,
  resolveModel,
} from '../hub/index.js';
import { convertIntoCache, isCheckpointFolder } from './convert-source.js';
import type { LoadModelOptions } from './types.js';

/** The local path of a file; what is not on this machine is downloaded. */
export function resolveFileSource(source: string, options: LoadModelOptions): Promise<string> {
  return resolveModel(source, downloadOptions(options));
}

/** As {@link resolveFileSource}; a checkpoint of Hugging Face, a folder or a repository, is converted first. */
export async function resolveModelSource(source: string, options: LoadModelOptions): Promise<string> {
  const parsed = parseModelSource(source);
  if (parsed.kind === 'file' && (await isCheckpointFolder(parsed.path))) {
    return convertIntoCache(parsed.path, undefined, options);
  }
  if (parsed.kind !== 'hub' || (parsed.file ?? parsed.quantization) !== undefined) {
    return resolveFileSource(source, options);
  }
  if (await isKnownCheckpoint(parsed, options)) {
    const folder = await downloadCheckpoint(source, downloadOptions(options));
    return convertIntoCache(folder, parsed.repository, options);
  }
  try {
    return await resolveFileSource(source, options);
  } catch (error) {
    const folder = await findCheckpoint(source, options, error);
    return convertIntoCache(folder, parsed.repository, options);
  }
}

/** Folder of the checkpoint of a repository that has no GGUF file; fails as the search for that did. */
async function findCheckpoint(source: string, options: LoadModelOptions, failure: unknown): Promise<string> {
  if (!LlamaNativeError.isInstance(failure) || failure.code !== 'FILE_NOT_IN_REPOSITORY') throw failure;
  return downloadCheckpoint(source, downloadOptions(options)).catch((error: unknown) => {
    const hasNone = LlamaNativeError.isInstance(error) && error.code === 'FILE_NOT_IN_REPOSITORY';
    throw hasNone ? failure : error;
  });
}

const downloadKeys = [
  'cacheDirectory',
  'token',
  'endpoint',
  'connections',
  'onProgress',
  'onWarning',
  'signal',
] as const satisfies readonly (keyof LoadModelOptions & keyof ResolveModelOptions)[];

/** The options of `loadModel` that say how to download. */
function downloadOptions(options: LoadModelOptions): ResolveModelOptions {
  return Object.fromEntries(
    downloadKeys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
}

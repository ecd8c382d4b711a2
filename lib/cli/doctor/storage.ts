import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Environment } from '../context.js';
import type { Library } from '../library.js';
import { formatBytes } from '../terminal/format.js';
import { type Check, messageOf } from './check.js';

const scarceDiskBytes = 1_000_000_000;
const hubTimeoutMs = 3000;

/** The folder of downloads: what is in it, and how much room is left. */
export async function checkCache(library: Library): Promise<Check> {
  const name = 'Cache';
  try {
    const directory = library.resolveCacheDirectory(undefined);
    const models = await library.listCachedModels();
    const usedBytes = models.reduce((sum, model) => sum + model.sizeBytes, 0);
    const freeBytes = await freeSpace(directory);
    const check = {
      name,
      detail:
        `${directory}: ${models.length} ${models.length === 1 ? 'model' : 'models'}, ${formatBytes(usedBytes)}; ` +
        `${formatBytes(freeBytes)} free on the disk`,
      facts: { directory, models: models.length, usedBytes, freeBytes },
    };
    return freeBytes >= scarceDiskBytes
      ? { ...check, status: 'ok' }
      : { ...check, status: 'warning', remedy: 'make room: llama-native rm removes downloaded models.' };
  } catch (error) {
    return {
      name,
      status: 'warning',
      detail: messageOf(error),
      remedy: 'set HF_HOME to a folder that can be written.',
    };
  }
}

/** Free bytes on the disk of a folder that may not have been made yet. */
async function freeSpace(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch (error) {
    if (dirname(directory) === directory) {
      throw error;
    }
    return freeSpace(dirname(directory));
  }
}

/** Whether the hub answers. A model that is already here does not need it. */
export async function checkHub(
  library: Library,
  environment: Environment,
  signal: AbortSignal,
): Promise<Check> {
  const name = 'Hub';
  const remedy =
    'check the network and HTTPS_PROXY, or set HF_ENDPOINT to a mirror. Models on this machine work without it.';
  try {
    const endpoint = library.resolveEndpoint(undefined);
    if (/^(1|true|yes|on)$/i.test(environment.HF_HUB_OFFLINE ?? '')) {
      return {
        name,
        status: 'warning',
        detail: 'not asked',
        remedy: 'unset HF_HUB_OFFLINE to download models.',
      };
    }
    const problem = await ask(library, endpoint, signal);
    return problem === undefined
      ? { name, status: 'ok', detail: `${endpoint} answers`, facts: { endpoint, isReachable: true } }
      : {
          name,
          status: 'warning',
          detail: `${endpoint} does not answer: ${problem}`,
          remedy,
          facts: { endpoint, isReachable: false },
        };
  } catch (error) {
    return { name, status: 'warning', detail: messageOf(error), remedy };
  }
}

/** Any answer, even a refusal, shows that the way there is open. Returns what stood in it. */
async function ask(library: Library, endpoint: string, signal: AbortSignal): Promise<string | undefined> {
  const timeout = AbortSignal.timeout(hubTimeoutMs);
  try {
    const response = await library.fetchByEnvironment(endpoint, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    });
    await response.body?.cancel();
    return response.status < 500 ? undefined : `it reports status ${response.status}`;
  } catch (error) {
    if (timeout.aborted) {
      return `no answer within ${hubTimeoutMs / 1000} s`;
    }
    const cause = error instanceof Error ? error.cause : undefined;
    return cause instanceof Error ? cause.message : messageOf(error);
  }
}

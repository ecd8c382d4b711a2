import { LlamaNativeError } from '../errors.js';
import { formatBytes } from '../files/format-bytes.js';
import { readHeaderFrom } from '../gguf/read-header.js';
import { readAvailableMemory } from './available-memory.js';
import { fitsMemory, type KnownHeader, type MemoryFit } from './memory.js';
import { withRemoteBytes } from './remote-model.js';
import type { RepositoryFile } from './repository.js';
import type { HubSettings } from './settings.js';
import type { HubSource } from './types.js';

/** The header of a file on the hub. Undefined when it cannot be read: less precise figures are better than none. */
export async function readRemoteHeader(
  source: HubSource,
  sizeBytes: number,
  settings: HubSettings,
): Promise<KnownHeader | undefined> {
  const options = settings.signal === undefined ? {} : { signal: settings.signal };
  try {
    const header = await withRemoteBytes(source, settings, (bytes) => readHeaderFrom(bytes, options));
    return { header, sizeBytes };
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && error.code === 'ABORTED') throw error;
    return undefined;
  }
}

/** Tells the listener, if there is one, when a model that is about to be fetched will not fit the memory. */
export async function warnAboutMemory(
  source: HubSource & { readonly file: string },
  files: readonly RepositoryFile[],
  settings: HubSettings,
): Promise<void> {
  const { onWarning } = settings;
  if (onWarning === undefined) return;
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const known = await readRemoteHeader(source, files[0]?.sizeBytes ?? sizeBytes, settings);
  const fit = fitsMemory(known, sizeBytes, await readAvailableMemory(undefined));
  if (!fit.fits) onWarning({ kind: 'memory', file: source.file, fit, message: describe(source, fit) });
}

function describe({ repository, file }: HubSource & { readonly file: string }, fit: MemoryFit): string {
  return (
    `${file} needs ${formatBytes(fit.neededBytes)} of memory with a context of ${fit.contextSize} tokens, but ` +
    `${formatBytes(fit.availableBytes)} are free: loading it may fail or be very slow. ` +
    `\`llama-native recommend hf:${repository}\` tells what fits.`
  );
}

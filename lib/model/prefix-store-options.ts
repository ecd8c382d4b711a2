import { createHash } from 'node:crypto';
import { freemem } from 'node:os';
import { toPrefixCacheSettings } from '../engine/prefix-cache-options.js';
import type { PrefixStoreOptions } from '../engine/prefix-store.js';
import { fingerprintModel } from '../gguf/fingerprint.js';
import type { GgufHeader } from '../gguf/index.js';
import { addonOf, type ModelHandle } from '../native/addon.js';
import type { LoadModelOptions } from './types.js';

/** Memory that this process may still take: what a container allows, where there is one. */
function freeMemory(): number {
  // Since Node.js 20.13 and 22.
  const available = (process as { availableMemory?: () => number }).availableMemory?.() ?? freemem();
  return Math.min(available, freemem() || available);
}

/**
 * How a model's prefixes are stored; undefined if all of it is turned off.
 * @param adaptersKey tells the model from itself with other adapters; empty for none.
 */
export async function prefixStoreOptions(
  model: ModelHandle,
  header: GgufHeader,
  adaptersKey: string,
  options: LoadModelOptions,
): Promise<PrefixStoreOptions | undefined> {
  const info = addonOf(model).getModelInfo(model);
  const { memoryBytes, directory, diskBytes } = toPrefixCacheSettings(options.prefixCache, freeMemory());
  if (memoryBytes === 0 && directory === undefined) return undefined;
  // What lies before a sliding window is not saved, so such a state serves only where it ends.
  const canCut = !info.isRecurrent && info.slidingWindow === 0;
  if (directory === undefined) return { memoryBytes, canCut };
  const fingerprint = await fingerprintState(model, header, adaptersKey, options);
  return { memoryBytes, canCut, disk: { directory, limitBytes: diskBytes, fingerprint } };
}

/** SHA-256 of all that decides whether a saved state fits: weights, adapters, the types of the cache, llama.cpp. */
async function fingerprintState(
  model: ModelHandle,
  header: GgufHeader,
  adaptersKey: string,
  { keyType = 'f16', valueType = 'f16' }: LoadModelOptions,
): Promise<Buffer> {
  const { llamaCppVersion } = addonOf(model).getSystemInfo();
  const hash = createHash('sha256').update(await fingerprintModel(header));
  return hash.update(`${llamaCppVersion} ${keyType} ${valueType}`).update(adaptersKey).digest();
}

import { totalmem } from 'node:os';
import { createError } from '../errors.js';
import { addonOf, type CacheType, type ModelHandle, type NativeModelInfo } from '../native/addon.js';

/** Bytes of one cached value, block scales included. Source: the block sizes in ggml-common.h. */
const bytesPerValue: Readonly<Record<CacheType, number>> = { f32: 4, f16: 2, q8_0: 34 / 32, q4_0: 18 / 32 };

/** llama.cpp's own bookkeeping for each position, whatever the model: position, shift, sequence sets. */
const bookkeepingBytes = 40;

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

/**
 * A lower bound of the KV cache's size in bytes: layers × KV heads × (key length + value length) × positions. Where
 * the layers differ or the model does not cache plain keys and values, only the bookkeeping counts.
 */
export function leastCacheBytes(
  info: Pick<NativeModelInfo, 'keys' | 'isRecurrent'>,
  contextSize: number,
  cacheType: CacheType = 'f16',
): number {
  const key = (name: string) => info.keys[`${info.keys['general.architecture']}.${name}`];
  const layers = positive(key('block_count'));
  const heads = positive(key('attention.head_count'));
  // Without the key all heads are cached; a key that is no number has one for each layer.
  const headsKey = key('attention.head_count_kv');
  const cachedHeads = headsKey === undefined ? heads : positive(headsKey);
  const embedding = positive(key('embedding_length'));
  const compressed =
    key('attention.kv_lora_rank') !== undefined || key('attention.sliding_window') !== undefined;
  if (info.isRecurrent || compressed || layers === undefined || cachedHeads === undefined) {
    return contextSize * bookkeepingBytes;
  }
  const fallback = embedding !== undefined && heads !== undefined ? embedding / heads : 0;
  const keyLength = positive(key('attention.key_length')) ?? fallback;
  const valueLength = positive(key('attention.value_length')) ?? fallback;
  const perPosition = layers * cachedHeads * (keyLength + valueLength) * bytesPerValue[cacheType];
  return contextSize * (perPosition + bookkeepingBytes);
}

/**
 * Refuses a context that no memory of this machine could hold, before llama.cpp tries: on systems that promise more
 * memory than they have, the attempt ends in the whole process being killed.
 * @throws ContextError OUT_OF_MEMORY with the numbers.
 */
export function checkCacheFits(model: ModelHandle, contextSize: number, cacheType?: CacheType): void {
  const addon = addonOf(model);
  const needed = leastCacheBytes(addon.getModelInfo(model), contextSize, cacheType);
  const cards = addon.getDevices().filter((device) => device.kind === 'gpu');
  const available = cards.reduce((sum, device) => sum + device.totalBytes, totalmem());
  if (needed <= available) return;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw createError(
    'OUT_OF_MEMORY',
    `A context of ${contextSize} tokens needs at least ${gigabytes(needed)} GB for its KV cache; this machine has ` +
      `${gigabytes(available)} GB in all. Take a smaller contextSize.`,
    { details: { contextSize, neededBytes: needed, availableBytes: available } },
  );
}

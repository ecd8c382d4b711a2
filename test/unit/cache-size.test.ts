import { describe, expect, it } from 'vitest';
import { leastCacheBytes } from '../../lib/model/cache-size.js';

const llama8b = {
  isRecurrent: false,
  keys: {
    'general.architecture': 'llama',
    'llama.block_count': '32',
    'llama.embedding_length': '4096',
    'llama.attention.head_count': '32',
    'llama.attention.head_count_kv': '8',
  },
};
const bookkeeping = 40;

describe('the least size of a KV cache', () => {
  it('is layers × KV heads × (key + value length) × 2 bytes for each position at f16', () => {
    // Llama 3 8B: 128 KiB for each token, as its users know.
    expect(leastCacheBytes(llama8b, 1000)).toBe(1000 * (131_072 + bookkeeping));
  });

  it('shrinks with the cache type', () => {
    expect(leastCacheBytes(llama8b, 1000, 'q8_0')).toBe(1000 * ((131_072 * 34) / 64 + bookkeeping));
  });

  it('uses the key and value lengths where the file gives them', () => {
    const keys = {
      ...llama8b.keys,
      'llama.attention.key_length': '256',
      'llama.attention.value_length': '256',
    };
    expect(leastCacheBytes({ ...llama8b, keys }, 10)).toBe(10 * (262_144 + bookkeeping));
  });

  it('claims only the bookkeeping where a model caches something else', () => {
    const recurrent = { ...llama8b, isRecurrent: true };
    const compressed = { ...llama8b, keys: { ...llama8b.keys, 'llama.attention.kv_lora_rank': '512' } };
    const perLayer = { ...llama8b, keys: { ...llama8b.keys, 'llama.attention.head_count_kv': '[1, 2]' } };
    for (const info of [recurrent, compressed, perLayer])
      expect(leastCacheBytes(info, 10)).toBe(10 * bookkeeping);
  });
});

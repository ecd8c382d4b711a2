/** The keys that tie the files of a split model together. Source: `LLM_KV_SPLIT_*` in src/llama-arch.cpp. */
export const splitKeys = {
  index: 'split.no',
  count: 'split.count',
  tensorCount: 'split.tensors.count',
} as const;

/** `split.no` and `split.count` have 16 bits. */
export const mostSplits = 65_535;

/** GGUF files: reading what they say without loading them, checking them before llama.cpp does, and writing them. */
export { checkAdapterFile } from './check-adapter.js';
export { checkModelFile } from './check-model.js';
export type { GgufWriteProgress } from './copy-tensors.js';
export { editGgufMetadata, type GgufMetadataChanges } from './edit-metadata.js';
export type { GgufValueInput } from './encode-header.js';
export {
  estimateMemory,
  type MemoryEstimate,
  type MemoryOptions,
  type MemoryShare,
} from './memory/estimate-memory.js';
export { mergeGguf } from './merge-gguf.js';
export { type ReadHeaderOptions, readGgufHeader } from './read-header.js';
export { type CopyGgufOptions, type SplitGgufOptions, splitGguf } from './split-gguf.js';
export { GgufStringArray } from './string-array.js';
export {
  type GgufMetadata,
  type GgufSummary,
  readGgufMetadata,
  summarizeGguf,
  type TensorTypeShare,
} from './summary.js';
export type {
  GgufArray,
  GgufArrayValues,
  GgufElementType,
  GgufHeader,
  GgufNumberType,
  GgufTensorInfo,
  GgufValue,
  GgufValueType,
} from './types.js';
export {
  type GgufContent,
  type GgufTensorInput,
  type TensorData,
  type WriteGgufOptions,
  writeGguf,
} from './write.js';

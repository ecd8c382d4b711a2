/** GGUF files: reading what they say without loading them, checking them before llama.cpp does, and writing them. */
export { checkAdapterFile } from './check-adapter.js';
export { checkModelFile } from './check-model.js';
export {
  estimateMemory,
  type MemoryEstimate,
  type MemoryOptions,
  type MemoryShare,
} from './memory/estimate-memory.js';
export { type ReadHeaderOptions, readGgufHeader } from './read-header.js';
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
  type GgufValueInput,
  type TensorData,
  writeGguf,
} from './write.js';

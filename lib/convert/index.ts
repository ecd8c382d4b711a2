/** Models of Hugging Face as GGUF files. */
export { supportedClassNames } from './architectures/index.js';
export { convert } from './convert.js';
export type { ConvertType } from './tensors/output-type.js';
export type { ConvertOptions, ConvertProgress, ConvertResult } from './types.js';

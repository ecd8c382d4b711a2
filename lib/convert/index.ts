/** Models of Hugging Face as GGUF files. */
export { supportedClassNames } from './architectures/index.js';
export { convert } from './convert.js';
export type { GptqLayerResult, RequantizeType } from './gptq/index.js';
export type { ConvertType } from './tensors/output-type.js';
export type {
  ConversionProgress,
  ConvertedType,
  ConvertOptions,
  ConvertProgress,
  ConvertResult,
} from './types.js';

/** Quantization: the weights of a model in fewer bits. */
export {
  type QuantizationType,
  type QuantizationTypeName,
  quantizationTypes,
  type TensorTypeName,
} from './quantization-types.js';
export { quantize } from './quantize.js';
export type {
  QuantizedShare,
  QuantizedTensor,
  QuantizeOptions,
  QuantizeProgress,
  QuantizeResult,
  TensorTypeChoice,
} from './types.js';

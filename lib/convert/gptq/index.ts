/** Checkpoints whose linear layers were quantized with GPTQ. */
export { type RequantizeType, requantizeTypes } from './choose-type.js';
export { type GptqTensors, gptqTensors } from './gptq-tensors.js';
export { type GptqSettings, readGptqSettings } from './settings.js';
export type { GptqLayerResult } from './types.js';

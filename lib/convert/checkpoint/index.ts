/** Checkpoints as Hugging Face has them: a folder with config.json and safetensors files. */
export { type ByteRange, Checkpoint } from './checkpoint.js';
export { bytesPerElement, type CheckpointDataType, checkpointDataTypes } from './data-types.js';
export { invalidCheckpoint, unsupportedCheckpoint } from './errors.js';
export { isJsonObject, type JsonObject, readJsonFile } from './json-file.js';
export type { CheckpointTensor } from './safetensors-header.js';

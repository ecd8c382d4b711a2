/** Reading what a model file says, wherever it lies. */
export {
  type ReadGgufOptions,
  readGgufHeader,
  readGgufHeaders,
  readGgufMetadata,
} from './read-model-header.js';

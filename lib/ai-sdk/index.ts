/** The face of llama-native for the AI SDK 7: its own models, made from a loaded {@link Model}. */
export { embeddingModel } from './embedding-model.js';
export { languageModel, type ModelSettings } from './language-model.js';
export type { LlamaNativeEmbeddingOptions, LlamaNativeProviderOptions } from './provider-options.js';

export type { AvailableMemory } from './available-memory.js';
export { listCachedModels, removeCachedModel } from './cached-models.js';
export { downloadCheckpoint } from './checkpoint.js';
export { defaultModel, defaultModelSource, resolveDefaultModel } from './default-model.js';
export type { MemoryFit, ModelPlace } from './memory.js';
export {
  type ListModelFilesOptions,
  listModelFiles,
  type ModelFile,
  type ModelFiles,
} from './model-files.js';
export { quantizationPreference } from './quantization.js';
export {
  type ConsideredModel,
  type Recommendation,
  type RecommendOptions,
  recommend,
} from './recommend.js';
export { resolveModel } from './resolve-model.js';
export { type FoundModel, type ModelOrder, type SearchModelsOptions, searchModels } from './search-models.js';
export { parseModelSource } from './source.js';
export type {
  CachedModel,
  CacheOptions,
  DownloadProgress,
  FileSource,
  HubSource,
  ModelSource,
  ModelWarning,
  ResolveModelOptions,
  UrlSource,
} from './types.js';

export { listCachedModels, removeCachedModel } from './cached-models.js';
export { downloadCheckpoint } from './checkpoint.js';
export { defaultModel, defaultModelSource, resolveDefaultModel } from './default-model.js';
export { quantizationPreference } from './quantization.js';
export { resolveModel } from './resolve-model.js';
export { parseModelSource } from './source.js';
export type {
  CachedModel,
  CacheOptions,
  DownloadProgress,
  FileSource,
  HubSource,
  ModelSource,
  ResolveModelOptions,
  UrlSource,
} from './types.js';

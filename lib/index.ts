/**
 * llama-native: large language models inside a Node.js program, on llama.cpp.
 *
 * Begin with {@link loadModel}. Everything public is exported here.
 */
export { type BuildOptions, type BuildVariant, buildAddon } from './build/build-addon.js';
export type { ChatCallOptions, ChatSendOptions } from './chat/answer-options.js';
export { Chat, type ChatOptions } from './chat/chat.js';
export type { OverflowPolicy } from './chat/overflow.js';
export type { ChatJson } from './chat/saved-conversation.js';
export {
  type Tool,
  type ToolChoice,
  type ToolContext,
  type ToolOptions,
  type ToolParameters,
  type Tools,
  tool,
} from './chat/tool.js';
export type {
  ChatAnswer,
  ChatContent,
  ChatFinishReason,
  ChatMessage,
  ChatPart,
  ChatResult,
  ChatTemplateOptions,
  ReasoningPart,
  RenderedChat,
  TextContentPart,
  TextPart,
  ToolCall,
  ToolCallPart,
  ToolResultPart,
} from './chat/types.js';
export { compare } from './compare/compare.js';
export type { ComparedFile, CompareOptions, CompareProgress, Comparison } from './compare/types.js';
export * from './convert/index.js';
export type { EmbedOptions, EmbedProgress, Pooling, RankOptions, RankProgress } from './embed/types.js';
export { Context, type ContextOptions, type EvalOptions, Sampler } from './engine/context.js';
export type { ModelMetrics, PrefixCacheMetrics } from './engine/metrics.js';
export type { PrefixCacheOptions } from './engine/prefix-cache-options.js';
export {
  AbortError,
  AddonError,
  ChatError,
  ClosedError,
  ContextError,
  ConversionError,
  DownloadError,
  EngineCrashedError,
  EngineStartError,
  type ErrorCode,
  type ErrorDetails,
  errorCodes,
  InvalidArgumentError,
  LlamaNativeError,
  ModelLoadError,
  ObjectError,
  ToolError,
} from './errors.js';
export { imatrix } from './evaluate/imatrix.js';
export { perplexity } from './evaluate/perplexity.js';
export type {
  DivergenceSpread,
  Estimate,
  EvaluationOptions,
  EvaluationProgress,
  ImatrixOptions,
  ImatrixResult,
  PerplexityOptions,
  PerplexityResult,
  ReferenceComparison,
} from './evaluate/types.js';
export type { OutputOptions } from './files/write-whole-file.js';
export type { JsonSchema } from './generate/check-json-schema.js';
export type { ConstraintOptions } from './generate/constraint.js';
export type { LogitBias, SamplingOptions } from './generate/sampling-options.js';
export type {
  FinishReason,
  GenerateManyOptions,
  GenerateOptions,
  Generation,
  GenerationChunk,
  GenerationResult,
  LogitsProcessor,
  Logprob,
  PromptUsage,
  Timings,
  TokenLogprob,
  Usage,
} from './generate/types.js';
export * from './gguf/index.js';
export * from './hub/index.js';
// These take any source, and stand for those of the same names in gguf, which take paths.
export {
  type ReadGgufOptions,
  readGgufHeader,
  readGgufHeaders,
  readGgufMetadata,
} from './inspect/index.js';
export type { CrashReason, CrashReport, InterruptedCall, IsolateOptions } from './isolate/types.js';
export type { AdapterOptions } from './model/adapters.js';
export type { LoadConvertOptions } from './model/convert-source.js';
export { loadModel } from './model/load-model.js';
export { Model, type ModelEvents } from './model/model.js';
export type { SpeculativeOptions } from './model/speculative.js';
export type {
  DetokenizeOptions,
  LoadModelOptions,
  LoadProgress,
  ModelMetadata,
  OverallProgress,
  TokenizeOptions,
} from './model/types.js';
export type { CacheType, ContextFullPolicy, EngineProcessMetrics } from './native/addon.js';
export { type Device, getDevices, getNativeLog, getSystemInfo, type SystemInfo } from './native/system.js';
export type {
  ChoiceObjectOptions,
  DeepPartial,
  GrammarObjectOptions,
  InferObject,
  InferObjectInput,
  ObjectAnswer,
  ObjectOptions,
  ObjectResult,
  ObjectSchema,
  RegexObjectOptions,
  RetryOptions,
  SchemaObjectAnswer,
  SchemaObjectOptions,
  TextObjectOptions,
} from './object/types.js';
export * from './quantize/index.js';
export type {
  FromJsonSchema,
  InferArguments,
  JsonSchemaObject,
  StandardIssue,
  StandardSchema,
} from './schema/types.js';

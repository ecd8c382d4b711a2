import { createError } from '../errors.js';
import type {
  AdapterHandle,
  CancelFlag,
  ChatParserHandle,
  ContextHandle,
  ModelHandle,
  NativeHandle,
  SamplerHandle,
} from './handles.js';
import { loadAddon } from './load-addon.js';
import type {
  MemoryOperation,
  NativeChatMessage,
  NativeChatTemplateOptions,
  NativeContext,
  NativeContextOptions,
  NativeControlText,
  NativeDevice,
  NativeEmbeddingContextOptions,
  NativeEmbedText,
  NativeGenerationRequest,
  NativeGptqLayer,
  NativeImatrixEntry,
  NativeLoadOptions,
  NativeMetrics,
  NativeModelInfo,
  NativeQuantizeOptions,
  NativeRenderedChat,
  NativeSamplingOptions,
  NativeScoreRequest,
  NativeScores,
  NativeStepEvents,
  NativeSystemInfo,
} from './types.js';

export type * from './handles.js';
export type * from './types.js';

/** What an engine can do, in this process or in another one. */
export interface Addon {
  getDevices(): NativeDevice[];
  getSystemInfo(): NativeSystemInfo;
  createCancelFlag(): CancelFlag;
  setCancelFlag(flag: CancelFlag): void;
  loadModel(
    path: string,
    options: NativeLoadOptions,
    flag: CancelFlag,
    onProgress: (fraction: number) => void,
  ): Promise<ModelHandle>;
  closeModel(model: ModelHandle): Promise<void>;
  /**
   * Loads a LoRA adapter for a model, before the first context of that model; it is freed with the model.
   * @param fingerprint tells its content from that of others: saved states are told apart by it.
   */
  loadAdapter(model: ModelHandle, path: string, fingerprint: string): Promise<AdapterHandle>;
  /**
   * Quantizes a model file and gives back what llama.cpp logged, which tells each tensor with its types.
   * @param onProgress gets the number of a tensor, from 1, and how many of its weights are done.
   */
  quantize(
    input: string,
    output: string,
    options: NativeQuantizeOptions,
    flag: CancelFlag,
    onProgress: (tensor: number, weights: number) => void,
  ): Promise<string>;
  getModelInfo(model: ModelHandle): NativeModelInfo;
  tokenize(
    model: ModelHandle,
    texts: readonly string[],
    addSpecial: boolean,
    parseSpecial: boolean,
  ): Promise<Int32Array[]>;
  /** Throws NOT_IN_PROCESS where the engine is in another process. */
  tokenizeSync(model: ModelHandle, text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array;
  detokenize(
    model: ModelHandle,
    tokens: readonly Int32Array[],
    removeSpecial: boolean,
    renderSpecial: boolean,
  ): Promise<string[]>;
  applyChatTemplate(
    model: ModelHandle,
    messagesJson: string,
    options: NativeChatTemplateOptions,
  ): Promise<NativeRenderedChat>;
  createChatParser(options: {
    readonly format: number;
    readonly source: string;
    readonly generationPrompt: string;
    readonly isContinuation: boolean;
  }): Promise<ChatParserHandle>;
  /** Throws CHAT_OUTPUT_INVALID if a whole answer does not follow the format. */
  parseChat(parser: ChatParserHandle, text: string, isPartial: boolean): Promise<NativeChatMessage>;
  /** What control tokens and user-defined ones are written as, the longest first. */
  getControlTexts(model: ModelHandle): NativeControlText[];
  /** Whether the tokens are a whole text of the grammar. */
  matchesGrammar(model: ModelHandle, grammar: string, tokens: Int32Array): Promise<boolean>;
  jsonSchemaToGrammar(schema: string): Promise<string>;
  createSampler(model: ModelHandle, options: NativeSamplingOptions): SamplerHandle | Promise<SamplerHandle>;
  closeSampler(sampler: SamplerHandle): void;
  createContext(
    model: ModelHandle,
    options: NativeContextOptions | NativeEmbeddingContextOptions,
    onEvents: (events: NativeStepEvents) => void,
  ): Promise<NativeContext>;
  closeContext(context: ContextHandle): Promise<void>;
  eval(
    context: ContextHandle,
    tokens: Int32Array,
    sequence: number,
    position: number,
    allLogits: boolean,
  ): Promise<void>;
  getLogits(context: ContextHandle, index: number): Promise<Float32Array>;
  sample(context: ContextHandle, sampler: SamplerHandle, index: number): Promise<number>;
  changeMemory(
    context: ContextHandle,
    operation: MemoryOperation,
    sequence: number,
    target: number,
    from: number,
    to: number,
    delta: number,
  ): Promise<boolean>;
  getSequenceRange(context: ContextHandle, sequence: number): Promise<[number, number]>;
  saveSequence(context: ContextHandle, sequence: number): Promise<Uint8Array>;
  /** The state of a sequence that holds so many tokens; undefined if it does not, or if it is larger than the limit. */
  savePrefix(context: ContextHandle, sequence: number, length: number): Promise<Uint8Array | undefined>;
  restoreSequence(context: ContextHandle, sequence: number, state: Uint8Array): Promise<void>;
  /** Throws, or rejects where the engine is in another process, if the request is refused; then nothing was touched. */
  submitGeneration(context: ContextHandle, request: NativeGenerationRequest): void | Promise<void>;
  /** Throws, or rejects, with LOGITS_PROCESSOR_FAILED for logits that cannot be sampled from. */
  provideLogits(context: ContextHandle, id: number, logits: Float32Array): void | Promise<void>;
  cancelGeneration(context: ContextHandle, id: number): void;
  /**
   * Idle sequences in the order in which they may be given up. Those with a key other than 0 are saved then; the key
   * comes back with the state.
   */
  setEvictable(context: ContextHandle, sequences: Int32Array, keys: Int32Array): void;
  /** In a context with a pooling. All texts are one batch: their tokens together fit its `batchSize`. */
  embed(context: ContextHandle, texts: readonly NativeEmbedText[]): Promise<Float32Array[]>;
  /** Evaluates windows of a text side by side, and tells how well each token was predicted. */
  scoreWindows(context: ContextHandle, request: NativeScoreRequest): Promise<NativeScores>;
  /** What went through the matrices in a context that collects, by name in ascending order. */
  getImatrix(context: ContextHandle): Promise<NativeImatrixEntry[]>;
  getMetrics(context: ContextHandle): Promise<NativeMetrics>;
  /** Of an engine in another process: something in it does not end, so that it is started again once it is idle. */
  replaceProcess?(): void;
}

/** What binding/addon.cpp exports. */
export interface LocalAddon extends Addon {
  initialize(errorFactory: typeof createError, directory: string): void;
  shutdown(): void;
  /**
   * For the process of an isolated engine: ends it with its parent, writes to it through the descriptor `answers`, and
   * sends the log to standard error.
   */
  serveParent(lifeline: number, parent: number, answers: number): void;
  /** Writes a message whole, among those of other threads. False where the caller has to write it by itself. */
  writeToParent(pieces: readonly Uint8Array[]): boolean;
  /** Goes up while something is evaluated or loaded. */
  getProgress(): number;
  getTokenText(
    model: ModelHandle,
    token: number,
  ): { readonly text: string; readonly control: boolean; readonly endOfGeneration: boolean };
  /** Writes the rows of `source` to `target` in another type, on up to so many threads. Types are the numbers of ggml. */
  convertTensorRows(
    sourceType: number,
    targetType: number,
    source: Uint8Array,
    target: Uint8Array,
    rowLength: number,
    threads: number,
  ): Promise<void>;
  /**
   * Writes rows (outputs) of a layer to `target` in a type of ggml, on up to so many threads.
   * @returns sums of the squares of the error, and of the weights.
   */
  convertGptqRows(
    layer: NativeGptqLayer,
    targetType: number,
    firstRow: number,
    target: Uint8Array,
    threads: number,
  ): Promise<[errorSquares: number, weightSquares: number]>;
}

let initialized: { addon: LocalAddon; path: string } | undefined;

function initialize(): { addon: LocalAddon; path: string } {
  if (initialized !== undefined) return initialized;
  const loaded = loadAddon();
  const addon = loaded.addon as LocalAddon;
  addon.initialize(createError, loaded.directory);
  // process.exit() runs no cleanup hooks of the environment: threads that still evaluate would meet destructors.
  process.on('exit', () => addon.shutdown());
  initialized = { addon, path: loaded.path };
  return initialized;
}

/**
 * The addon, loaded at the first call.
 * @throws AddonError with code ADDON_NOT_FOUND or ADDON_LOAD_FAILED.
 */
export function getAddon(): LocalAddon {
  return initialize().addon;
}

/** Absolute path of the loaded .node file. */
export function getAddonPath(): string {
  return initialize().path;
}

/** The engines of other processes, by the handles of what is in them. */
const elsewhere = new WeakMap<NativeHandle, Addon>();

/** Notes that a handle belongs to an engine in another process. */
export function placeElsewhere(handle: NativeHandle, addon: Addon): void {
  elsewhere.set(handle, addon);
}

/** Where a native object lives: the engine it was placed in, or else the addon of this process. */
export function addonOf(handle: NativeHandle): Addon {
  return elsewhere.get(handle) ?? getAddon();
}

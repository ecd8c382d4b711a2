import type { LlamaNativeError } from '../errors.js';
import type { AdapterHandle, ContextHandle, ModelHandle } from './handles.js';

export interface NativeDevice {
  readonly name: string;
  readonly description: string;
  readonly kind: 'cpu' | 'gpu' | 'igpu' | 'accelerator';
  readonly backend: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface NativeSystemInfo {
  readonly llamaCppVersion: string;
  readonly cpuFeatures: string;
  readonly supportsGpuOffload: boolean;
  /** The last lines llama.cpp logged. */
  readonly log: readonly string[];
}

export interface NativeModelInfo {
  readonly keys: Readonly<Record<string, string>>;
  readonly description: string;
  readonly parameterCount: number;
  readonly sizeBytes: number;
  readonly layerCount: number;
  readonly embeddingLength: number;
  readonly trainedContextSize: number;
  readonly vocabularySize: number;
  readonly chatTemplate: string | undefined;
  readonly beginOfSequence: number | undefined;
  readonly endOfSequence: number | undefined;
  readonly endOfTurn: number | undefined;
  readonly hasEncoder: boolean;
  readonly hasDecoder: boolean;
  readonly isRecurrent: boolean;
  /** How many tokens back the layers with a sliding window attend; 0 where no layer has one. */
  readonly slidingWindow: number;
  /** Numbers that a head on top of the model gives for a text; 0 without such a head. */
  readonly classifierOutputs: number;
  /** What they stand for, where the file says so. */
  readonly classifierLabels: readonly string[];
  /** The token between two texts; undefined where the vocabulary has none. */
  readonly separator: number | undefined;
  /** Which special tokens the vocabulary asks for around texts. */
  readonly addsBeginOfSequence: boolean;
  readonly addsEndOfSequence: boolean;
  readonly addsSeparator: boolean;
}

export interface NativeLoadOptions {
  /** −1 for all layers. */
  readonly gpuLayers: number;
  readonly vocabOnly: boolean;
  readonly checkTensors: boolean;
  readonly memoryMap: boolean;
}

/** Types of the KV cache's values. */
export type CacheType = 'f32' | 'f16' | 'q8_0' | 'q4_0';

export interface NativeContextOptions {
  readonly contextSize: number;
  readonly batchSize: number;
  readonly sequences: number;
  readonly threads: number;
  readonly keyType?: CacheType;
  readonly valueType?: CacheType;
  readonly speculation?: NativeSpeculation;
  /** What every evaluation in the context adds to the weights. Default none. */
  readonly adapters?: readonly NativeAppliedAdapter[];
  /** Layers with a sliding window keep all positions, not only those in the window. Default true. */
  readonly fullWindow?: boolean;
  /** Tokens computed at once, `batchSize` at most. Default: `batchSize`. */
  readonly microBatchSize?: number;
  /** Sequences share no memory: each has its part of `contextSize`. Default false. */
  readonly separateSequences?: boolean;
  /** Collects an importance matrix, see {@link Addon.getImatrix}. Default: none. */
  readonly collects?: 'blocks' | 'blocks and output';
  /** Most bytes of saved states on their way here; those on top of it are not saved. Default 0. */
  readonly stateLimit?: number;
  /**
   * In an engine of another process: the context is made anew when that process had to be, empty, and its listener hears
   * of it ({@link NativeStepEvents.lost}). Other contexts are gone then. Default false.
   */
  readonly restartable?: boolean;
}

/** An adapter of the context's model, and the factor that its changes are added with, −100 to 100. */
export interface NativeAppliedAdapter {
  readonly adapter: AdapterHandle;
  readonly scale: number;
}

/** How generations are sped up by guesses. */
export interface NativeSpeculation {
  /** Without one, earlier text is searched. */
  readonly draftModel?: ModelHandle;
  readonly draftTokens?: number;
  readonly minDraftProbability?: number;
  readonly ngramSize?: number;
}

/** What becomes of a text: a vector of some kind, vectors of its tokens with `none`, the outputs of a head with `rank`. */
export type NativePooling = 'mean' | 'cls' | 'last' | 'none' | 'rank';

/** Options of a context that computes embeddings or scores. */
export interface NativeEmbeddingContextOptions extends NativeContextOptions {
  readonly pooling: NativePooling;
}

/** A text to embed. */
export interface NativeEmbedText {
  readonly tokens: Int32Array;
  /** Scale to the Euclidean length 1; the outputs of a head are left as they are. */
  readonly normalize: boolean;
}

/** Windows of a text to score, in a context with `separateSequences`. */
export interface NativeScoreRequest {
  /** Of all windows, one after the other; as many windows as the context has sequences, at most. */
  readonly tokens: Int32Array;
  /** Tokens of a window. */
  readonly window: number;
  /** The first token of a window whose successor is scored. */
  readonly first: number;
  /** The vocabulary's begin-of-sequence token replaces the first of each window, if the vocabulary asks for one. */
  readonly beginWithBos: boolean;
  /** Give the log-probabilities back. Default false. */
  readonly pack?: boolean;
  /** Log-probabilities of another model for the same scores, packed. */
  readonly reference?: Uint8Array;
}

/** An entry for each token that was predicted: `window − 1 − first` for each window. */
export interface NativeScores {
  readonly negativeLogLikelihoods: Float64Array;
  readonly evaluationMs: number;
  readonly reference?: {
    readonly negativeLogLikelihoods: Float64Array;
    readonly divergences: Float64Array;
    /** 1 where both models find the same token the most probable one. */
    readonly agreements: Uint8Array;
  };
  /** Packed in 16 bits each as in the files of llama-perplexity, a row for each entry. */
  readonly logProbabilities?: Uint8Array;
}

/** What went through one tensor. */
export interface NativeImatrixEntry {
  readonly name: string;
  /** Sums of squared activations: columns, for each matrix of the tensor. */
  readonly sums: Float32Array;
  /** Of rows: one in all, or one for each expert. */
  readonly counts: Float64Array;
}

/** A created context with the sizes llama.cpp really gave it. */
export interface NativeContext {
  readonly handle: ContextHandle;
  readonly contextSize: number;
  readonly batchSize: number;
  readonly sequences: number;
  readonly canShift: boolean;
  /** Bytes of keys, values and states, on all devices together. */
  readonly cacheBytes: number;
  /** Bytes of buffers for intermediate results. */
  readonly computeBytes: number;
}

/** Sampling options as the addon takes them; validated before they get there. */
export interface NativeSamplingOptions {
  readonly temperature?: number | undefined;
  readonly dynamicTemperatureRange?: number | undefined;
  readonly dynamicTemperatureExponent?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly typicalP?: number | undefined;
  readonly topNSigma?: number | undefined;
  readonly xtcProbability?: number | undefined;
  readonly xtcThreshold?: number | undefined;
  readonly minKeep?: number | undefined;
  readonly repeatPenalty?: number | undefined;
  readonly repeatLastTokens?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly dryMultiplier?: number | undefined;
  readonly dryBase?: number | undefined;
  readonly dryAllowedLength?: number | undefined;
  readonly dryLastTokens?: number | undefined;
  readonly mirostat?: number | undefined;
  readonly mirostatTau?: number | undefined;
  readonly mirostatEta?: number | undefined;
  readonly adaptiveTarget?: number | undefined;
  readonly adaptiveDecay?: number | undefined;
  readonly drySequenceBreakers?: readonly string[] | undefined;
  readonly logitBiasTokens?: Int32Array;
  /** One for each of `logitBiasTokens`. */
  readonly logitBiasValues?: Float32Array;
  readonly seed: number;
  readonly ignoreEndOfSequence?: boolean | undefined;
  /** In GBNF. */
  readonly grammar?: string;
  /** As JSON text, in place of a grammar. */
  readonly jsonSchema?: string;
  /** Regular expressions: the grammar holds only from where one matches. */
  readonly grammarTriggers?: readonly string[];
  /** The beginning of the answer in the prompt, which the grammar covers too. */
  readonly grammarPrefix?: Int32Array;
  /** The beginning of the answer in the prompt, where its reasoning may have begun. */
  readonly reasoningPrefix?: Int32Array;
  readonly reasoningStart?: Int32Array;
  readonly reasoningEnds?: readonly Int32Array[];
  /** Most tokens of reasoning; −1: no limit. */
  readonly reasoningBudget?: number;
  /** For tests: llama.cpp's sampler chain on the whole vocabulary, without the short cuts. */
  readonly exactChain?: boolean;
}

/** What a generation does when it has filled the context. */
export type ContextFullPolicy = 'stop' | 'error' | 'shift';

export interface NativeGenerationRequest extends NativeSamplingOptions {
  readonly id: number;
  readonly sequence: number;
  readonly tokens: Int32Array;
  /** The first `cachedTokens` tokens are in the KV cache of this sequence. */
  readonly cachedSequence: number;
  readonly cachedTokens: number;
  /** Saved state to begin from instead; read until the generation begins, so nobody may write to it. */
  readonly state?: Uint8Array;
  /** How many tokens of the prompt the state is used for. */
  readonly stateTokens?: number;
  /** Ascending: numbers of prompt tokens after which the sequence is saved. */
  readonly snapshots?: Int32Array;
  /** −1: no limit. */
  readonly maxTokens: number;
  readonly stopStrings: readonly string[];
  /** Control tokens that appear in the text. */
  readonly visibleTokens?: Int32Array;
  readonly contextFull: ContextFullPolicy;
  readonly keepTokens: number;
  /** How many alternatives are reported with each token; −1: no log-probabilities at all. */
  readonly logprobs: number;
  /** False: without guesses, though the context makes some. */
  readonly speculate: boolean;
  /** Each row of logits comes as an event, and a token is chosen from what `provideLogits` answers. */
  readonly processesLogits: boolean;
  /** Time since the caller asked, in milliseconds. */
  readonly waitedMs: number;
}

export interface NativeFinish {
  readonly reason: 'stop' | 'length' | 'cancelled' | 'failed';
  /** Index of the stop string that was met, or −1. */
  readonly stopString: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Tokens sampled after the first one, an end-of-sequence token included. */
  readonly decodeSteps: number;
  /** How often older tokens were forgotten to make room. */
  readonly shifts: number;
  /** Tokens guessed ahead, and how many of them were right. */
  readonly draftTokens: number;
  readonly acceptedDraftTokens: number;
  /** How many tokens of prompt and answer stay in the KV cache; 0 after a shift. */
  readonly residentTokens: number;
  readonly queueMs: number;
  readonly promptMs: number;
  readonly firstTokenMs: number;
  readonly completionMs: number;
  readonly totalMs: number;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}

export interface NativeLogprob {
  readonly token: number;
  readonly text: string;
  readonly logprob: number;
}

export interface NativeTokenLogprob extends NativeLogprob {
  readonly top: readonly NativeLogprob[];
}

export interface NativeGenerationEvent {
  readonly id: number;
  readonly text: string;
  readonly tokens: readonly number[];
  /** One for each token, if asked for. */
  readonly logprobs?: readonly NativeTokenLogprob[];
  readonly finish?: NativeFinish;
}

/** What the generation loop has counted since the context was created. */
export interface NativeMetrics {
  readonly steps: number;
  /** Rows of all batches. */
  readonly batchTokens: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly evictions: number;
  readonly pauses: number;
  readonly shifts: number;
  readonly draftTokens: number;
  readonly acceptedDraftTokens: number;
  readonly statesSaved: number;
  readonly stateBytesSaved: number;
  readonly statesRestored: number;
  readonly stateTokensRestored: number;
  /** States that were damaged, or another model's. */
  readonly statesRefused: number;
  readonly stateSaveMs: number;
  readonly stateRestoreMs: number;
  /** Time of all steps together, in milliseconds. */
  readonly stepMs: number;
  /** Steps that took up to 1, 2, 4, ... milliseconds; the last number counts all longer ones. */
  readonly stepHistogram: readonly number[];
  /** Of an engine in another process. */
  readonly engineProcess?: EngineProcessMetrics;
  /** The devices as the engine's process sees them, if that is not this one. */
  readonly devices?: readonly NativeDevice[];
}

/** The process of an isolated engine. */
export interface EngineProcessMetrics {
  readonly processId: number;
  /** Resident memory of the process, pages of a mapped model included. */
  readonly memoryBytes: number;
  /** How often it had to be started again. */
  readonly restarts: number;
}

/** An idle sequence whose cached tokens were given up to make room. */
export interface NativeEvicted {
  readonly sequence: number;
  /** What {@link Addon.setEvictable} said of it; 0 if the loop found it by itself. */
  readonly key: number;
  /** What it held, if that was to be saved and could be. */
  readonly state?: Uint8Array;
}

/** The state of a sequence on the way through its prompt. */
export interface NativeSnapshot {
  /** Of the generation. */
  readonly id: number;
  /** How many tokens of the prompt it holds. */
  readonly position: number;
  readonly state: Uint8Array;
}

/** A generation that did not begin from its saved state. */
export interface NativeUnrestored {
  readonly id: number;
  /** True if the state is damaged or another model's; false if there was no room for it. */
  readonly invalid: boolean;
}

/** Logits that `provideLogits` is to answer. */
export interface NativeLogitsRequest {
  readonly id: number;
  /** What the logits follow. */
  readonly tokens: Int32Array;
  readonly logits: Float32Array;
}

/** What happened in one step of the generation loop. */
export interface NativeStepEvents {
  readonly generations: readonly NativeGenerationEvent[];
  readonly logits?: readonly NativeLogitsRequest[];
  readonly evicted?: readonly NativeEvicted[];
  readonly snapshots?: readonly NativeSnapshot[];
  readonly unrestored?: readonly NativeUnrestored[];
  /** The context's process ended: nothing that was submitted goes on, and the context is empty. */
  readonly lost?: LlamaNativeError;
}

export interface NativeChatTemplateOptions {
  readonly template?: string | undefined;
  readonly beginOfSequence?: string | undefined;
  readonly endOfSequence?: string | undefined;
  readonly addGenerationPrompt?: boolean | undefined;
  readonly enableThinking?: boolean | undefined;
  /** JSON texts by name. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** As JSON text, in OpenAI's form. */
  readonly tools?: string | undefined;
  readonly toolChoice?: 'auto' | 'required' | 'none' | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  /** As JSON text: what the answer has to be. */
  readonly jsonSchema?: string | undefined;
  /** What of the last message goes on; `auto` its text, or its reasoning if there is no text. Default `none`. */
  readonly continueFinalMessage?: 'none' | 'auto' | 'content' | 'reasoning' | undefined;
  /** Tell reasoning from text in the answer. */
  readonly parseReasoning?: boolean | undefined;
  readonly tokenize?: boolean | undefined;
  /** A text that is put into every control token's text that is to be plain; it is taken out again. */
  readonly mark?: string | undefined;
  /** The same as an escape in JSON. */
  readonly escapedMark?: string | undefined;
}

/** A rendered conversation, and how its answer is written. */
export interface NativeRenderedChat {
  readonly prompt: string;
  readonly generationPrompt: string;
  readonly stops: readonly string[];
  readonly format: number;
  /** For {@link Addon.createChatParser}. */
  readonly parser: string;
  /** GBNF of the answer; empty if it is free. */
  readonly grammar: string;
  /** The grammar holds only from where one of these regular expressions matches; none: at once. */
  readonly grammarTriggers: readonly string[];
  readonly supportsThinking: boolean;
  /** With `tokenize`. */
  readonly tokens?: Int32Array;
  /** With `tokenize`: control tokens that mean something in the answer. */
  readonly visibleTokens?: Int32Array;
  /** With `tokenize`: the beginning of the answer in the prompt. */
  readonly grammarPrefix?: Int32Array;
  /** With `tokenize`: what begins and ends reasoning; empty if the model does none. */
  readonly reasoningStart?: Int32Array;
  readonly reasoningEnds?: readonly Int32Array[];
  /** The same as texts. */
  readonly reasoningStartText?: string;
  readonly reasoningEndTexts?: readonly string[];
}

/** A text that a tokenizer looks for before all others. */
export interface NativeControlText {
  readonly text: string;
  /** It is found in any text, whether that may hold control tokens or not. */
  readonly isUserDefined: boolean;
}

/** What a model has written, or the beginning of it. */
export interface NativeChatMessage {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
}

export type MemoryOperation = 'remove' | 'copy' | 'keep' | 'clear' | 'shift';

/** How a file is quantized; see `llama_model_quantize_params` in llama.h. Types are numbers of `enum ggml_type`. */
export interface NativeQuantizeOptions {
  /** Of `enum llama_ftype`. */
  readonly fileType: number;
  readonly onlyCopy: boolean;
  readonly threads: number;
  readonly allowRequantize: boolean;
  readonly leaveOutputTensor: boolean;
  readonly pure: boolean;
  readonly keepSplit: boolean;
  readonly dryRun?: boolean;
  readonly outputTensorType?: number;
  readonly tokenEmbeddingType?: number;
  /** Regular expressions of C++, searched in the names of tensors; the first that fits decides. */
  readonly tensorTypes: readonly { readonly pattern: string; readonly type: number }[];
  /** Ascending. */
  readonly pruneLayers: readonly number[];
  readonly imatrix: readonly { readonly name: string; readonly values: Float32Array }[];
  /** Set in the output: texts of up to 127 bytes, whole numbers as uint32. */
  readonly metadata: readonly { readonly key: string; readonly value: string | number }[];
}

/** A linear layer that GPTQ quantized: weight = scale * (number - zero), both by group and output. */
export interface NativeGptqLayer {
  readonly bits: 4 | 8;
  readonly inputs: number;
  readonly outputs: number;
  /** [inputs * bits / 32, outputs] */
  readonly weights: Uint32Array;
  /** [groups, outputs] */
  readonly scales: Float32Array;
  /** [groups, outputs] */
  readonly zeros: Uint8Array;
  /** Group of each input. */
  readonly groups: Int32Array;
}

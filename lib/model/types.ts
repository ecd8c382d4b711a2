import type { ConversionProgress } from '../convert/types.js';
import type { PrefixCacheOptions } from '../engine/prefix-cache-options.js';
import type { ModelWarning } from '../hub/types.js';
import type { IsolateOptions } from '../isolate/index.js';
import type { CacheType } from '../native/addon.js';
import type { AdapterOptions } from './adapters.js';
import type { LoadConvertOptions } from './convert-source.js';
import type { SpeculativeOptions } from './speculative.js';

/** How far several files are that are fetched in one call. */
export interface OverallProgress {
  readonly fileCount: number;
  /** Files that are whole and in their place. */
  readonly completedFiles: number;
  readonly downloadedBytes: number;
  readonly totalBytes: number;
}

/** What happens while a model is fetched and loaded. */
export type LoadProgress =
  | {
      readonly stage: 'download';
      /** Name of the file in the repository. */
      readonly file: string;
      readonly downloadedBytes: number;
      readonly totalBytes: number;
      readonly bytesPerSecond: number;
      /** All files of the call, when there are several: the parts of a split model, or a checkpoint. */
      readonly overall?: OverallProgress;
    }
  | ConversionProgress
  | {
      readonly stage: 'load';
      /** From 0 to 1. */
      readonly fraction: number;
    };

/** Options of {@link loadModel}. */
export interface LoadModelOptions {
  /**
   * Layers to hold on the GPU: a number, `'max'` for all, 0 for none. Default `'max'`; without a GPU backend the
   * model is on the CPU whatever this says.
   */
  gpuLayers?: number | 'max';
  /** Tokens held in the KV cache, all sequences together. Default: what the model was trained for, 4096 at most. */
  contextSize?: number;
  /** Most tokens evaluated in one step, 1 or more. Default 512. */
  batchSize?: number;
  /** Threads for evaluation, 1 to 512. Default: the number of physical cores. */
  threads?: number;
  /** Generations that run at the same time; more wait their turn. 1 to 64. Default 1. */
  sequences?: number;
  /** Generations that may wait; more are refused with QUEUE_FULL. Default 1024. */
  queueLimit?: number;
  /**
   * Type of the cached keys: `q8_0` halves their memory, `q4_0` quarters it. `f32` doubles it and turns flash attention
   * off, unless values are `q8_0` or `q4_0`: logits then hardly depend on how tokens are batched, but a step needs
   * memory for `contextSize` × `batchSize` × attention heads × 4 bytes. Default `f16`.
   */
  keyType?: CacheType;
  /**
   * Type of the cached values; `q8_0` and `q4_0` need a model that supports flash attention, `f32` turns it off as for
   * keys. Default `f16`.
   */
  valueType?: CacheType;
  /**
   * Keeps the beginnings of prompts and conversations when the KV cache gives them up, in memory and, if a directory is
   * named, on the disk, so that a prompt that begins alike later is not read again.
   */
  prefixCache?: PrefixCacheOptions;
  /**
   * For models with layers that attend to a sliding window (Gemma, gpt-oss): `'full'` holds all tokens in these layers
   * too, so that a prompt can go on from any part of an earlier one. `'window'` holds only the window and goes on from
   * checkpoints instead, which `prefixCache` keeps. At 32768 tokens the KV cache of Gemma 3 4B is 4.6 GB with `'full'`
   * and 0.9 GB with `'window'`; up to about twice the window they differ little. Not together with `speculative`.
   * Default `'full'`.
   */
  slidingWindow?: 'full' | 'window';
  /**
   * LoRA adapters, up to 16, that change the model for as long as it is loaded: in generation, embeddings and contexts. A
   * string is short for `{ path }`; sources are those of `loadModel`. What several change is added up. Not loaded with
   * `vocabOnly`, and not applied to a draft model. Default: none.
   */
  adapters?: readonly (string | AdapterOptions)[];
  /**
   * Speculative decoding: several tokens are guessed and checked in one step, so that answers come faster where guesses
   * are often right; the text stays the same. `{}` searches earlier text, `{ draftModel }` asks a smaller model.
   * Default: none.
   */
  speculative?: SpeculativeOptions;
  /** Least time between two `metrics` events of the model, in milliseconds, 10 or more. Default 1000. */
  metricsIntervalMs?: number;
  /** Load only the tokenizer and the metadata: `tokenize` works, `generate` does not. Default false. */
  vocabOnly?: boolean;
  /** Map the file instead of reading it. Default true. */
  memoryMap?: boolean;
  /** Verify the values of all tensors while loading; slow. Default false. */
  checkTensors?: boolean;
  /**
   * Run the engine in a process of its own: if llama.cpp aborts there, calls in flight fail with ENGINE_CRASHED, the next
   * one starts the engine again, and this program goes on. `true`, or {@link IsolateOptions}. Default: false, or true if
   * the environment variable `LLAMA_NATIVE_ISOLATE` is `1`.
   */
  isolate?: boolean | IsolateOptions;
  /** How a checkpoint with safetensors is converted before it is loaded. Default: `{ type: 'q8_0' }`; GPTQ stays GPTQ. */
  convert?: LoadConvertOptions;
  /** A Jinja chat template to use instead of the model's own. */
  chatTemplate?: string;
  /** Where downloaded models are kept; for prompts that were read see `prefixCache`. Default: the Hugging Face cache (`HF_HOME`, `HF_HUB_CACHE`). */
  cacheDirectory?: string;
  /** Access token for the hub. Default: `HF_TOKEN`, then the token file of the Hugging Face tools. */
  token?: string;
  /** The hub's address. Default: `HF_ENDPOINT`, then the Hugging Face hub. */
  endpoint?: string;
  /**
   * Connections over which a file of 32 MiB or more is downloaded, 1 to 16. Default 4. Servers that do not send parts
   * of files are asked over one.
   */
  connections?: number;
  /** Told about download, conversion and load as they go on. */
  onProgress?: (progress: LoadProgress) => void;
  /**
   * Told before a GGUF file of the hub is downloaded that it will not fit this machine's memory, the draft model's
   * too. It is downloaded all the same. Without a listener nothing is estimated.
   */
  onWarning?: (warning: ModelWarning) => void;
  /** Cancels the download or the load. */
  signal?: AbortSignal;
}

/** Facts about a loaded model. */
export interface ModelMetadata {
  /** `general.architecture`, such as `llama` or `qwen2`. */
  readonly architecture: string;
  /** `general.name`, if the file has one. */
  readonly name: string | undefined;
  /** llama.cpp's one-line description: family, size and quantization. */
  readonly description: string;
  readonly parameterCount: number;
  /** Size of all tensors in bytes. */
  readonly sizeBytes: number;
  readonly layerCount: number;
  readonly embeddingLength: number;
  readonly vocabularySize: number;
  /** Context length the model was trained with, in tokens. */
  readonly trainedContextSize: number;
  /** The model's own Jinja chat template, if it has one. */
  readonly chatTemplate: string | undefined;
  /** Ids of the special tokens; undefined where the vocabulary has none. */
  readonly specialTokens: {
    readonly beginOfSequence: number | undefined;
    readonly endOfSequence: number | undefined;
    readonly endOfTurn: number | undefined;
  };
  /** All scalar GGUF keys, as text. */
  readonly keys: Readonly<Record<string, string>>;
}

/** Options of {@link Model.tokenize}. */
export interface TokenizeOptions {
  /** Add the begin- and end-of-sequence tokens the model asks for. Default true. */
  addSpecial?: boolean;
  /** Read control tokens such as `<|im_start|>` written in the text as such. Default false. */
  parseSpecial?: boolean;
}

/** Options of {@link Model.detokenize}. */
export interface DetokenizeOptions {
  /** Leave out the begin- and end-of-sequence tokens that `addSpecial` put there. Default false. */
  removeSpecial?: boolean;
  /** Write control tokens as their text instead of leaving them out. Default false. */
  renderSpecial?: boolean;
}

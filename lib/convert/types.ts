import type { OutputOptions } from '../files/write-whole-file.js';
import type { DownloadProgress } from '../hub/types.js';
import type { GptqLayerResult, RequantizeType } from './gptq/index.js';
import type { ConvertType } from './tensors/output-type.js';

/** Type of most tensors of a converted file. */
export type ConvertedType = ConvertType | RequantizeType | 'q4_0';

/** How far the conversion itself is. */
export interface ConversionProgress {
  readonly stage: 'convert';
  /** Name of the tensor that is written, as in the GGUF file. */
  readonly tensor: string;
  /** Its number, from 1. */
  readonly tensorNumber: number;
  readonly tensorCount: number;
  /** Bytes of tensors that are written. */
  readonly writtenBytes: number;
  /** Bytes of all tensors of the GGUF file. */
  readonly totalBytes: number;
  /** After a layer that was quantized with GPTQ: what became of it. */
  readonly layer?: GptqLayerResult;
}

/** How far a conversion and what goes before it is. */
export type ConvertProgress = ConversionProgress | DownloadProgress;

/** Options of {@link convert}. */
export interface ConvertOptions extends OutputOptions {
  /**
   * Type of most tensors: `f32`, `f16`, `bf16` or `q8_0`. Vectors and norms are F32 in all of them. Default: that of
   * the checkpoint, and f16 for one in F32. In a GPTQ checkpoint the quantized layers become blocks of the same
   * numbers, and the other tensors f16.
   */
  type?: ConvertType;
  /**
   * Of GPTQ checkpoints, without `type`: the type of layers whose numbers cannot stay as they are, since their groups
   * are scattered (act-order) or their 8-bit zeros differ: `q4_1`, `q5_1`, `q6_k`, `q8_0` or `f16`. Default `q8_0`.
   */
  requantize?: RequantizeType;
  /** Threads that convert weights. Default: one for each core. */
  threads?: number;
  /** Called before each tensor, and several times a second while it is written. */
  onProgress?: (progress: ConvertProgress) => void;
  /** Cancels the conversion; nothing of the output is kept. */
  signal?: AbortSignal;
  /**
   * llama.cpp's name for the way in which the tokenizer cuts texts, such as `llama-bpe` or `qwen2`. Default: found out.
   * Needed only where the error says so.
   */
  preTokenizer?: string;
  /** Folder of the cache for a source on the hub. Default: that of the Hugging Face tools. */
  cacheDirectory?: string;
  /** Access token for a source on the hub. Default: HF_TOKEN or the saved token. */
  token?: string;
  /** Address of the hub. Default: HF_ENDPOINT or https://huggingface.co. */
  endpoint?: string;
}

/** What {@link convert} made. */
export interface ConvertResult {
  /** Path of the GGUF file. */
  readonly path: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
  /** llama.cpp's name of the architecture, such as `llama` or `qwen3`. */
  readonly architecture: string;
  /** Type of most tensors. */
  readonly type: ConvertedType;
  readonly tensorCount: number;
  /** Numbers in all tensors together. */
  readonly parameterCount: number;
  /** What became of the layers of a GPTQ checkpoint; undefined for others. */
  readonly quantizedLayers?: readonly GptqLayerResult[];
}

import type { OutputOptions } from '../files/write-whole-file.js';
import type { DownloadProgress } from '../hub/types.js';
import type { ConvertType } from './tensors/output-type.js';

/** How far a conversion is. */
export type ConvertProgress =
  | {
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
    }
  | DownloadProgress;

/** Options of {@link convert}. */
export interface ConvertOptions extends OutputOptions {
  /**
   * Type of most tensors: `f32`, `f16`, `bf16` or `q8_0`. Vectors and norms are F32 in all of them. Default: that of
   * the checkpoint, and f16 for one in F32.
   */
  type?: ConvertType;
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
  readonly type: ConvertType;
  readonly tensorCount: number;
  /** Numbers in all tensors together. */
  readonly parameterCount: number;
}

import type { OutputOptions } from '../files/write-whole-file.js';
import type { IsolateOptions } from '../isolate/types.js';
import type { QuantizationTypeName, TensorTypeName } from './quantization-types.js';

/** A choice of type for tensors: by exact name, or all whose name a regular expression finds. */
export interface TensorTypeChoice {
  readonly tensor: string | RegExp;
  readonly type: TensorTypeName;
}

/** Options of `quantize`. */
export interface QuantizeOptions extends OutputOptions {
  /** What most weights become; see `quantizationTypes`. Aliases of llama-quantize, such as `Q4_K`, are taken too. */
  type: QuantizationTypeName | 'Q3_K' | 'Q4_K' | 'Q5_K';
  /**
   * Path of an importance matrix of this very model, in GGUF format or llama.cpp's old one. Types of three bits and less
   * gain much by it, and some need one.
   */
  imatrix?: string;
  /**
   * Types of single tensors, the first that fits each. As an object: regular expressions and types, as the option
   * `--tensor-type` of llama-quantize. Ignored by F16, BF16, F32 and COPY, as there.
   */
  tensorTypes?: Readonly<Record<string, TensorTypeName>> | readonly TensorTypeChoice[];
  /** Numbers of layers to leave out, from 0. */
  pruneLayers?: readonly number[];
  /** Threads that quantize. Default: one for each core. */
  threads?: number;
  /** Find out types and sizes, and write nothing. Default: false. */
  dryRun?: boolean;
  /** Quantize tensors that are quantized already, which loses more than from 16 or 32 bits. Default: false. */
  allowRequantize?: boolean;
  /** Leave `output.weight` as it is. Default: false. */
  leaveOutputTensor?: boolean;
  /** The same type for all tensors, in place of llama.cpp's mixture. Default: false. */
  pure?: boolean;
  /** Type of `output.weight`, and of the token embeddings where the two are one. */
  outputTensorType?: TensorTypeName;
  /** Type of the token embeddings. */
  tokenEmbeddingType?: TensorTypeName;
  /** Write as many files as the model is read from. Default: false, which joins them. */
  keepSplit?: boolean;
  /** Work in a process of its own. Default: false. */
  isolate?: boolean | IsolateOptions;
  /** Called for each tensor as it begins, and some times a second within it. */
  onProgress?: (progress: QuantizeProgress) => void;
  /** Stops within a fraction of a second; nothing is left of the output. */
  signal?: AbortSignal;
}

/** How far a quantization is. */
export interface QuantizeProgress {
  /** The tensor that is worked on, by its name in the output. */
  readonly tensor: string;
  /** Its number, from 1. */
  readonly index: number;
  /** Number of tensors. */
  readonly count: number;
  readonly sourceType: string;
  readonly type: string;
  /** Share of all weights that are done, 0 to 1. */
  readonly fraction: number;
}

/** One tensor of the output. */
export interface QuantizedTensor {
  readonly name: string;
  /** Elements along each dimension, fastest-changing first. */
  readonly dimensions: readonly number[];
  readonly sourceType: string;
  readonly type: string;
  readonly sourceBytes: number;
  readonly bytes: number;
}

/** The tensors of one type together. */
export interface QuantizedShare {
  readonly type: string;
  readonly tensorCount: number;
  readonly bytes: number;
}

/** What was quantized, or with `dryRun` would be. */
export interface QuantizeResult {
  /** The file that was written, the first of them with `keepSplit`; undefined with `dryRun`. */
  readonly path: string | undefined;
  /** All files that were written. */
  readonly paths: readonly string[];
  readonly type: QuantizationTypeName;
  /** Size of the files that were read. */
  readonly bytesBefore: number;
  /** Size of the files that were written; with `dryRun` what it will be, to within some kilobytes of metadata. */
  readonly bytesAfter: number;
  /** Bits that a weight takes on average. */
  readonly bitsPerWeight: number;
  /** By type, the largest share first. */
  readonly types: readonly QuantizedShare[];
  /** Every tensor in the order of the output. */
  readonly tensors: readonly QuantizedTensor[];
  /** Tensors that llama.cpp gave a larger type than asked for, because their rows do not divide into its blocks. */
  readonly fallbackCount: number;
  /** True if the types need an importance matrix. With `dryRun` none has to be there. */
  readonly needsImatrix: boolean;
  /** Of the importance matrix: how many tensors it knows, and which were quantized without it. */
  readonly imatrix: { readonly entryCount: number; readonly missing: readonly string[] } | undefined;
  readonly elapsedMs: number;
}

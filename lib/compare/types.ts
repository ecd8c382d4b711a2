import type { Estimate, EvaluationProgress } from '../evaluate/types.js';
import type { OutputOptions } from '../files/write-whole-file.js';
import type { QuantizationTypeName } from '../quantize/quantization-types.js';
import type { QuantizeProgress } from '../quantize/types.js';

/** What `compare` is doing. */
export type CompareProgress =
  | { readonly stage: 'quantize'; readonly file: string; readonly progress: QuantizeProgress }
  | { readonly stage: 'quality'; readonly file: string; readonly progress: EvaluationProgress }
  | {
      readonly stage: 'speed';
      readonly file: string;
      /** Measurements that are done, of all files together. */
      readonly completed: number;
      readonly total: number;
    };

/** Options of {@link compare}. */
export interface CompareOptions extends OutputOptions {
  /** What is read to measure the quality: of the kind that the model is to be used for, some thousand tokens at least. */
  text: string;
  /** Quantizations to make of the model. Those of IQ1 and IQ2 need an `imatrix`. */
  types?: readonly QuantizationTypeName[];
  /** Files of the same model that are there already, beside or in place of `types`. */
  files?: readonly string[];
  /** Where quantizations are made, and found again by a later call. Default: a temporary folder, removed at the end. */
  directory?: string;
  /** Importance matrix for the quantizations. Default: none. */
  imatrix?: string;
  /** Quantize also a model that is quantized itself. Default false. */
  allowRequantize?: boolean;
  /** Tokens of a chunk, 16 or more. Default 512. */
  contextSize?: number;
  /** Most chunks of the text. Default: all. */
  chunks?: number;
  /** How often speed and memory are measured; medians are reported. 1 to 100. Default 3. */
  rounds?: number;
  /** How much larger the perplexity of a file may be than that of the model to be recommended: 0.02 is 2 %. Default 0.02. */
  tolerance?: number;
  /** Threads. Default: one for each physical core. */
  threads?: number;
  /** Layers to hold on the GPU, or `'max'`. Default `'max'`. */
  gpuLayers?: number | 'max';
  /** Write a picture of quality over size to this path, an SVG file. Default: none. */
  output?: string;
  /** Called as it goes on. What it throws ends the call. */
  onProgress?: (progress: CompareProgress) => void;
  /** Cancels: the call rejects with an `AbortError`. */
  signal?: AbortSignal;
}

/** One file of a {@link Comparison}. */
export interface ComparedFile {
  /** Its type, such as `Q4_K_M`, or its name where several have the same type. */
  readonly name: string;
  /** Where it is; undefined for one that was made and removed again. */
  readonly path: string | undefined;
  /** The model that the others are compared with. */
  readonly isReference: boolean;
  /** Of the file. */
  readonly sizeBytes: number;
  readonly bitsPerWeight: number | undefined;
  /** Resident memory of a process with the model and a context of 1024 tokens, mapped pages included; not that of a GPU. */
  readonly memoryBytes: number;
  /** Whether this machine has that memory. */
  readonly fits: boolean;
  /** Reading a prompt of 512 tokens. */
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  readonly perplexity: Estimate;
  /** Growth of the perplexity over the reference: 0.01 is 1 %. */
  readonly perplexityLoss: Estimate;
  /** From the reference, in nats a token. */
  readonly klDivergence: Estimate;
  /** Share of tokens where it finds the same token the most probable one as the reference, 0 to 1. */
  readonly topAgreement: Estimate;
  /** No other file is both smaller and nearer to the reference. */
  readonly isPareto: boolean;
}

/** What {@link compare} found. */
export interface Comparison {
  /** The reference, and the files by descending size. */
  readonly files: readonly ComparedFile[];
  /** Name of the file to use on this machine. */
  readonly recommended: string | undefined;
  /** Which that is and why, in a sentence. */
  readonly advice: string;
  readonly contextSize: number;
  readonly chunks: number;
  readonly rounds: number;
  /** Memory of this machine. */
  readonly machineBytes: number;
  /** The picture, if one was asked for. */
  readonly plotPath?: string;
}

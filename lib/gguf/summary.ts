import { fileTypeName } from './file-types.js';
import { arrayValues, stringValue, uint32Value } from './header-values.js';
import { Hyperparameters } from './hyperparameters.js';
import { type ReadHeaderOptions, readGgufHeader } from './read-header.js';
import { splitCount } from './splits.js';
import type { GgufHeader, GgufValue } from './types.js';

/** How much of a model has one data type. */
export interface TensorTypeShare {
  /** Name of the type, such as `F32` or `Q4_K`. */
  readonly type: string;
  readonly tensorCount: number;
  readonly parameterCount: number;
  readonly bytes: number;
}

/** The facts about a model that its file tells without being loaded. Undefined where the file is silent. */
export interface GgufSummary {
  readonly path: string;
  /** Size of the file in bytes. */
  readonly fileSize: number;
  /** Version of the GGUF format. */
  readonly version: number;
  /** `general.architecture`, such as `llama` or `qwen2`. */
  readonly architecture: string | undefined;
  readonly name: string | undefined;
  /** `general.size_label`, such as `135M` or `8x7B`. */
  readonly sizeLabel: string | undefined;
  readonly license: string | undefined;
  /** What most tensors are, by `general.file_type`, such as `Q4_K_M`. */
  readonly fileType: string | undefined;
  /** Elements of all tensors of this file. */
  readonly parameterCount: number;
  /** Bytes of all tensors of this file. */
  readonly tensorBytes: number;
  /** Bits of tensor data for each parameter; undefined for a file without tensors. */
  readonly bitsPerWeight: number | undefined;
  readonly tensorCount: number;
  /** Data types of the tensors, the one with the most bytes first. */
  readonly types: readonly TensorTypeShare[];
  /** Tokens the model was trained to look back at. */
  readonly contextLength: number | undefined;
  /** Width of the model. */
  readonly embeddingLength: number | undefined;
  readonly layerCount: number | undefined;
  /** Attention heads; the most of any layer where they differ. */
  readonly headCount: number | undefined;
  /** Heads of keys and values; the most of any layer where they differ. */
  readonly keyValueHeadCount: number | undefined;
  /** Experts of each layer in a mixture-of-experts model. */
  readonly expertCount: number | undefined;
  readonly vocabularySize: number | undefined;
  /** `tokenizer.ggml.model`, such as `gpt2` (byte pairs) or `llama` (SentencePiece). */
  readonly tokenizer: string | undefined;
  /** `tokenizer.ggml.pre`: how text is cut up before that. */
  readonly preTokenizer: string | undefined;
  /** The model's own Jinja chat template. */
  readonly chatTemplate: string | undefined;
  /** Files the model is in; the numbers above are those of the one that was read. */
  readonly splitCount: number;
}

/** A summary together with all metadata of the file. */
export interface GgufMetadata extends GgufSummary {
  /** All keys with their typed values, in the order of the file. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

/**
 * Reads what a GGUF file says about its model, without loading it: milliseconds, whatever its size.
 *
 * Throws what {@link readGgufHeader} throws.
 */
export async function readGgufMetadata(path: string, options: ReadHeaderOptions = {}): Promise<GgufMetadata> {
  const header = await readGgufHeader(path, options);
  return { ...summarizeGguf(header), metadata: header.metadata };
}

/** Brings together what a header says about its model. */
export function summarizeGguf(header: GgufHeader): GgufSummary {
  const architecture = stringValue(header, 'general.architecture');
  const facts = new Hyperparameters(header, architecture ?? '');
  const fileType = uint32Value(header, 'general.file_type');
  const types = shareTypes(header);
  const parameterCount = types.reduce((sum, share) => sum + share.parameterCount, 0);
  const tensorBytes = types.reduce((sum, share) => sum + share.bytes, 0);
  return {
    path: header.path,
    fileSize: header.fileSize,
    version: header.version,
    architecture,
    name: stringValue(header, 'general.name'),
    sizeLabel: stringValue(header, 'general.size_label'),
    license: stringValue(header, 'general.license'),
    fileType: fileType === undefined ? undefined : fileTypeName(fileType),
    parameterCount,
    tensorBytes,
    bitsPerWeight: parameterCount === 0 ? undefined : (8 * tensorBytes) / parameterCount,
    tensorCount: header.tensors.length,
    types,
    contextLength: facts.count('context_length'),
    embeddingLength: facts.count('embedding_length'),
    layerCount: facts.count('block_count'),
    headCount: largest(facts.perLayer('attention.head_count')),
    keyValueHeadCount: largest(facts.perLayer('attention.head_count_kv')),
    expertCount: facts.count('expert_count'),
    vocabularySize:
      arrayValues(header, 'tokenizer.ggml.tokens', 'string')?.length ?? facts.count('vocab_size'),
    tokenizer: stringValue(header, 'tokenizer.ggml.model'),
    preTokenizer: stringValue(header, 'tokenizer.ggml.pre'),
    chatTemplate: stringValue(header, 'tokenizer.chat_template'),
    splitCount: splitCount(header),
  };
}

function shareTypes(header: GgufHeader): TensorTypeShare[] {
  const shares = new Map<string, TensorTypeShare>();
  for (const { type, dimensions, byteSize } of header.tensors) {
    const share = shares.get(type) ?? { type, tensorCount: 0, parameterCount: 0, bytes: 0 };
    shares.set(type, {
      type,
      tensorCount: share.tensorCount + 1,
      parameterCount: share.parameterCount + dimensions.reduce((product, size) => product * size, 1),
      bytes: share.bytes + byteSize,
    });
  }
  return [...shares.values()].sort((one, other) => other.bytes - one.bytes);
}

function largest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((most, value) => Math.max(most, value));
}

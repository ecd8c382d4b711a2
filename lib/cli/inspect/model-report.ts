import type { GgufHeader, GgufValue } from '../../index.js';

/** How much of a model is stored as one tensor type. */
export interface TypeShare {
  readonly type: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

/** What `inspect` tells about a model file. */
export interface ModelReport {
  readonly path: string;
  readonly name: string | undefined;
  readonly architecture: string | undefined;
  readonly parameters: number;
  /** The tensor types, the one with the most parameters first. */
  readonly types: readonly TypeShare[];
  readonly bitsPerWeight: number;
  readonly contextLength: number | undefined;
  readonly embeddingLength: number | undefined;
  readonly layers: number | undefined;
  readonly attentionHeads: number | undefined;
  readonly keyValueHeads: number | undefined;
  readonly vocabularySize: number | undefined;
  readonly tokenizer: string | undefined;
  readonly chatTemplate: string | undefined;
  readonly fileBytes: number;
  readonly tensorBytes: number;
  readonly tensorCount: number;
  readonly ggufVersion: number;
  /** Files the model is split into; the figures are those of the one that was read. */
  readonly splitCount: number;
}

function readText(value: GgufValue | undefined): string | undefined {
  return value?.type === 'string' ? value.value : undefined;
}

/** A number; some models give one for each layer, of which the largest is told. */
function readNumber(value: GgufValue | undefined): number | undefined {
  if (value === undefined || value.type === 'string' || value.type === 'bool') {
    return undefined;
  }
  if (value.type !== 'array') {
    return Number(value.value);
  }
  if (value.elementType === 'string' || value.elementType === 'bool' || value.value.length === 0) {
    return undefined;
  }
  return Array.from(value.value, Number).reduce((largest, next) => Math.max(largest, next));
}

/** Adds up tensors by their type. */
function sumTypes(header: GgufHeader): TypeShare[] {
  const shares = new Map<string, TypeShare>();
  for (const tensor of header.tensors) {
    const before = shares.get(tensor.type) ?? { type: tensor.type, tensors: 0, parameters: 0, bytes: 0 };
    shares.set(tensor.type, {
      type: tensor.type,
      tensors: before.tensors + 1,
      parameters: before.parameters + tensor.dimensions.reduce((product, next) => product * next, 1),
      bytes: before.bytes + tensor.byteSize,
    });
  }
  return [...shares.values()].sort((left, right) => right.parameters - left.parameters);
}

/** Reads what people ask about a model out of its header. */
export function reportModel(header: GgufHeader): ModelReport {
  const { metadata } = header;
  const architecture = readText(metadata.get('general.architecture'));
  const ofArchitecture = (key: string) => readNumber(metadata.get(`${architecture}.${key}`));
  const tokens = metadata.get('tokenizer.ggml.tokens');
  const types = sumTypes(header);
  const parameters = types.reduce((sum, share) => sum + share.parameters, 0);
  const tensorBytes = types.reduce((sum, share) => sum + share.bytes, 0);
  return {
    path: header.path,
    name: readText(metadata.get('general.name')),
    architecture,
    parameters,
    types,
    bitsPerWeight: parameters === 0 ? 0 : (tensorBytes * 8) / parameters,
    contextLength: ofArchitecture('context_length'),
    embeddingLength: ofArchitecture('embedding_length'),
    layers: ofArchitecture('block_count'),
    attentionHeads: ofArchitecture('attention.head_count'),
    keyValueHeads: ofArchitecture('attention.head_count_kv'),
    vocabularySize: tokens?.type === 'array' ? tokens.value.length : ofArchitecture('vocab_size'),
    tokenizer: readText(metadata.get('tokenizer.ggml.model')),
    chatTemplate: readText(metadata.get('tokenizer.chat_template')),
    fileBytes: header.fileSize,
    tensorBytes,
    tensorCount: header.tensors.length,
    ggufVersion: header.version,
    splitCount: readNumber(metadata.get('split.count')) ?? 1,
  };
}

/** The metadata as plain values for JSON: arrays, which can be a whole vocabulary, only by their type and length. */
export function plainMetadata(header: GgufHeader): Record<string, unknown> {
  const plain = ([key, value]: [string, GgufValue]): [string, unknown] => {
    if (value.type === 'array') {
      return [key, { elementType: value.elementType, length: value.value.length }];
    }
    return [key, typeof value.value === 'bigint' ? value.value.toString() : value.value];
  };
  return Object.fromEntries([...header.metadata].map(plain));
}

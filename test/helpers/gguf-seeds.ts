import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import type { GgufHeader } from '../../lib/gguf/types.js';
import { type GgufTensorInput, type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import { findHeaderFields, type HeaderField } from './gguf-fields.js';

/** A well-formed file that mutations start from. */
export interface MutationSeed {
  readonly name: string;
  /** The whole file. */
  readonly bytes: Buffer;
  readonly header: GgufHeader;
  readonly fields: readonly HeaderField[];
}

/** How much of a model is kept in a {@link writeReducedModel}. */
export interface Reduction {
  /** Tokens of the vocabulary, from the first. */
  readonly tokens: number;
  /** Layers, from the first. Default all. */
  readonly layers?: number;
  /** Another `general.architecture` with tensors of the same names; its keys are renamed too. Default the same. */
  readonly architecture?: string;
}

/** Reads a file as a seed. */
export async function readSeed(name: string, path: string): Promise<MutationSeed> {
  const header = await readGgufHeader(path);
  const file = await open(path, 'r');
  try {
    const bytes = await file.readFile();
    return { name, bytes, header, fields: findHeaderFields(bytes) };
  } finally {
    await file.close();
  }
}

/**
 * Writes a smaller model made of the first tokens and layers of a real one: every key is there, the weights are the
 * real ones, and it loads in milliseconds.
 */
export async function writeReducedModel(
  source: string,
  directory: string,
  reduction: Reduction,
): Promise<string> {
  const header = await readGgufHeader(source);
  const path = join(directory, `${reduction.architecture ?? 'reduced'}-${source.split('/').at(-1)}`);
  const file = await open(source, 'r');
  try {
    const tensors = header.tensors
      .filter(({ name }) => isKept(name, reduction.layers))
      .map((tensor): GgufTensorInput => {
        const dimensions = tensor.name.startsWith('token_embd.')
          ? [tensor.dimensions[0] ?? 1, reduction.tokens]
          : tensor.dimensions;
        const share = (dimensions[1] ?? 1) / (tensor.dimensions[1] ?? 1);
        const data = async function* () {
          const bytes = Buffer.alloc(tensor.byteSize * share);
          await file.read(bytes, 0, bytes.length, header.dataOffset + tensor.offset);
          yield bytes;
        };
        return { name: tensor.name, dimensions, type: tensor.type, data };
      });
    await writeGguf(path, { metadata: reduceMetadata(header, reduction), tensors });
  } finally {
    await file.close();
  }
  return path;
}

function isKept(name: string, layers: number | undefined): boolean {
  const layer = /^blk\.(\d+)\./.exec(name)?.[1];
  return layers === undefined || layer === undefined || Number(layer) < layers;
}

function reduceMetadata(header: GgufHeader, reduction: Reduction): Map<string, GgufValueInput> {
  const before = header.metadata.get('general.architecture')?.value;
  const after = reduction.architecture ?? before;
  const reduced = new Map<string, GgufValueInput>();
  for (const [originalKey, entry] of header.metadata) {
    const key = originalKey.startsWith(`${before}.`)
      ? originalKey.replace(`${before}`, `${after}`)
      : originalKey;
    if (entry.type === 'array' && /^tokenizer\.ggml\.(tokens|scores|token_type|merges)$/.test(key)) {
      const value = [...entry.value].slice(0, reduction.tokens);
      reduced.set(key, { type: 'array', elementType: entry.elementType, value });
    } else if (key.endsWith('.block_count') && reduction.layers !== undefined) {
      reduced.set(key, { type: 'uint32', value: reduction.layers });
    } else if (key === 'general.architecture') {
      reduced.set(key, { type: 'string', value: `${after}` });
    } else if (key.endsWith('.vocab_size')) {
      reduced.set(key, { type: 'uint32', value: reduction.tokens });
    } else {
      reduced.set(key, entry);
    }
  }
  return reduced;
}

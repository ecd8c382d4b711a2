import { type FileHandle, open, readFile } from 'node:fs/promises';
import { createError, LlamaNativeError } from '../errors.js';
import { checkPlacement } from '../gguf/check-placement.js';
import { arrayValues, stringValue, uint32Value } from '../gguf/header-values.js';
import { type GgufHeader, type GgufTensorInfo, readGgufHeader } from '../gguf/index.js';
import type { SourceModel } from './source-model.js';

/** How much each input of a tensor matters, as it was measured on texts. */
export interface ImportanceMatrix {
  readonly path: string;
  /** For each tensor one number per element of a row, and of each expert. */
  readonly entries: ReadonlyMap<string, Float32Array>;
  /** Name of the file with the texts, if it is told. */
  readonly dataset: string | undefined;
  readonly chunkCount: number;
}

function invalid(path: string, reason: string, cause?: unknown): LlamaNativeError {
  return createError('IMATRIX_INVALID', `${path} is not a usable importance matrix: ${reason}`, {
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Reads an importance matrix as llama-quantize does (`load_imatrix` in tools/quantize): sums of squares divided by how
 * often they were added to.
 *
 * @throws IMATRIX_INVALID for a file that is damaged or something else; MODEL_NOT_FOUND if there is none; ABORTED.
 */
export async function readImportanceMatrix(
  path: string,
  signal: AbortSignal | undefined,
): Promise<ImportanceMatrix> {
  let header: GgufHeader;
  try {
    header = await readGgufHeader(path, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!LlamaNativeError.isInstance(error) || error.code !== 'MODEL_INVALID') throw error;
    return readOldFormat(path, error);
  }
  const kind = stringValue(header, 'general.type');
  if (kind !== undefined && kind !== 'imatrix')
    throw invalid(
      path,
      `it is a GGUF file of the kind '${kind}'. Name a file that was made by computing an imatrix.`,
    );
  const entries = await readEntries(header);
  const dataset = arrayValues(header, 'imatrix.datasets', 'string')?.at(0);
  return { path, entries, dataset, chunkCount: uint32Value(header, 'imatrix.chunk_count') ?? 0 };
}

const sumsSuffix = '.in_sum2';
const countsSuffix = '.counts';

async function readEntries(header: GgufHeader): Promise<Map<string, Float32Array>> {
  const { path } = header;
  try {
    checkPlacement(header);
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  }
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  const names = header.tensors
    .filter(({ name }) => name.endsWith(sumsSuffix))
    .map(({ name }) => name.slice(0, -sumsSuffix.length));
  if (names.length === 0)
    throw invalid(path, `it has no tensors whose name ends in ${sumsSuffix}. It may be a model instead.`);
  const file = await open(path, 'r');
  try {
    const entries = new Map<string, Float32Array>();
    for (const name of names) {
      const sums = await readFloats(file, header, tensors.get(name + sumsSuffix));
      const counts = await readFloats(file, header, tensors.get(name + countsSuffix));
      entries.set(name, meansOf(path, name, sums, counts));
    }
    return entries;
  } finally {
    await file.close();
  }
}

async function readFloats(
  file: FileHandle,
  { path, dataOffset }: GgufHeader,
  tensor: GgufTensorInfo | undefined,
): Promise<Float32Array> {
  if (tensor === undefined)
    throw invalid(path, `of some tensors it has only ${sumsSuffix} or ${countsSuffix}.`);
  if (tensor.type !== 'F32') throw invalid(path, `'${tensor.name}' has type ${tensor.type} instead of F32.`);
  const floats = new Float32Array(tensor.byteSize / 4);
  const { bytesRead } = await file.read(
    new Uint8Array(floats.buffer),
    0,
    tensor.byteSize,
    dataOffset + tensor.offset,
  );
  if (bytesRead !== tensor.byteSize) throw invalid(path, 'it is truncated.');
  return floats;
}

/** For each expert apart; one that was never used counts as if everything mattered the same. */
function meansOf(path: string, name: string, sums: Float32Array, counts: Float32Array): Float32Array {
  const length = sums.length / counts.length;
  if (!Number.isInteger(length) || length === 0)
    throw invalid(path, `'${name}' has ${sums.length} sums for ${counts.length} counts.`);
  const means = sums.map((sum, index) => {
    const count = Math.round(counts[Math.floor(index / length)] ?? 0);
    return count > 0 ? sum / count : 1;
  });
  return checkValues(path, name, means);
}

function checkValues(path: string, name: string, values: Float32Array): Float32Array {
  if (!values.every((value) => value >= 0 && value < Number.POSITIVE_INFINITY))
    throw invalid(path, `the numbers for '${name}' are negative or not finite. The file is damaged.`);
  return values;
}

/** Largest file of the old format that is read; those of models with a trillion weights are half of it. */
const maxOldBytes = 2 ** 31;

/**
 * llama.cpp's format before 2025, which has no mark to know it by: a count of entries, then for each the length of its
 * name, the name, how often it was added to, the number of values, the values. Source: `common_imatrix_load_legacy`.
 */
async function readOldFormat(path: string, cause: LlamaNativeError): Promise<ImportanceMatrix> {
  const bytes = await readFile(path);
  if (bytes.toString('latin1', 0, 4) === 'GGUF') throw invalid(path, cause.message, cause);
  if (bytes.length > maxOldBytes) throw invalid(path, 'it is too large.', cause);
  const reader = new OldFormatReader(path, bytes, cause);
  const entries = new Map<string, Float32Array>();
  const count = reader.count(1, 1_000_000);
  for (let index = 0; index < count; index++) {
    const name = reader.text(reader.count(1, 1024));
    const calls = reader.count(0, 0x7fffffff);
    const values = reader.floats(reader.count(1, 0x7fffffff));
    entries.set(name, checkValues(path, name, calls > 0 ? values.map((value) => value / calls) : values));
  }
  if (reader.isAtEnd) return { path, entries, dataset: undefined, chunkCount: 0 };
  const chunkCount = reader.count(0, 0x7fffffff);
  const dataset = reader.isAtEnd ? undefined : reader.text(reader.count(0, 65536));
  return { path, entries, dataset: dataset || undefined, chunkCount };
}

class OldFormatReader {
  #position = 0;
  readonly #path: string;
  readonly #bytes: Buffer;
  readonly #cause: unknown;

  constructor(path: string, bytes: Buffer, cause: unknown) {
    this.#path = path;
    this.#bytes = bytes;
    this.#cause = cause;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  count(lowest: number, highest: number): number {
    const value = this.#take(4).readInt32LE(0);
    if (value < lowest || value > highest) throw this.#damaged();
    return value;
  }

  text(length: number): string {
    return this.#take(length).toString('utf8').replace(/\0.*$/s, '');
  }

  floats(count: number): Float32Array {
    const bytes = this.#take(4 * count);
    return Float32Array.from({ length: count }, (_, index) => bytes.readFloatLE(4 * index));
  }

  #take(length: number): Buffer {
    const start = this.#position;
    this.#position += length;
    if (this.#position > this.#bytes.length) throw this.#damaged();
    return this.#bytes.subarray(start, this.#position);
  }

  #damaged(): Error {
    const reason = "it is neither a GGUF file nor one of llama.cpp's old format, or it is damaged.";
    return invalid(this.#path, reason, this.#cause);
  }
}

const layerNumber = /^blk\.(\d+)\./;

/**
 * Makes sure that the matrix was measured on this model.
 * @throws IMATRIX_INVALID if sizes differ, if it has layers that the model has not, or if it knows none of its tensors.
 */
export function checkImatrixFits(imatrix: ImportanceMatrix, { header, tensors }: SourceModel): void {
  const other = (reason: string) =>
    invalid(
      imatrix.path,
      `it was made for another model than ${header.path}: ${reason}. Compute one with this model.`,
    );
  const layers = Math.max(-1, ...[...tensors.keys()].map(layerOf));
  let known = 0;
  for (const [name, values] of imatrix.entries) {
    const layer = layerOf(name);
    if (layer > layers) throw other(`it has a layer ${layer}, the model's last one is ${layers}`);
    const tensor = tensors.get(name);
    if (tensor === undefined) continue;
    known++;
    const [rowLength = 1, , experts = 1] = tensor.dimensions;
    // llama.cpp passes over the embeddings of some old matrices, which were measured as another tensor.
    if (values.length === rowLength * experts || name === 'token_embd.weight') continue;
    throw other(`it has ${values.length} values for ${name}, whose rows need ${rowLength * experts}`);
  }
  if (known === 0) throw other('it knows none of its tensors');
}

function layerOf(name: string): number {
  return Number(layerNumber.exec(name)?.[1] ?? -1);
}

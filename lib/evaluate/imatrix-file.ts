import { open } from 'node:fs/promises';
import { createError, LlamaNativeError } from '../errors.js';
import { type GgufHeader, type GgufTensorInfo, readGgufHeader } from '../gguf/index.js';
import { type GgufTensorInput, type GgufValueInput, writeGgufAt } from '../gguf/write.js';

/** What an importance matrix says of one tensor. */
export interface ImatrixEntry {
  /** Sums of squared activations: columns, for each matrix of the tensor. */
  readonly sums: Float32Array;
  /** Of rows: one in all, or one for each expert. */
  readonly counts: Float64Array;
}

/** An importance matrix with what its file says of it. */
export interface Imatrix {
  /** By the name of the tensor. */
  readonly entries: ReadonlyMap<string, ImatrixEntry>;
  readonly datasets: readonly string[];
  /** Tokens of a chunk. */
  readonly chunkSize: number;
  /** How far the last text was read; unknown for files of other programs. */
  readonly progress: ImatrixProgress | undefined;
}

/** Which text an importance matrix was computed from last, and how far. */
export interface ImatrixProgress {
  /** SHA-256 of the text's tokens. */
  readonly textDigest: string;
  readonly completedChunks: number;
}

const sumsSuffix = '.in_sum2';
const countsSuffix = '.counts';
const digestKey = 'llama_native.imatrix.text_sha256';
const completedKey = 'llama_native.imatrix.completed_chunks';

/** How many chunks an importance matrix is made of: as in llama-imatrix, what the most used matrix saw. */
export function chunkCount(entries: ReadonlyMap<string, ImatrixEntry>, chunkSize: number): number {
  let most = 0;
  for (const { counts } of entries.values()) for (const count of counts) most = Math.max(most, count);
  return Math.floor(most / chunkSize);
}

/** Adds up two importance matrices. @throws IMATRIX_INVALID if a tensor has other sizes in the other. */
export function addEntries(
  path: string,
  base: ReadonlyMap<string, ImatrixEntry>,
  added: ReadonlyMap<string, ImatrixEntry>,
): Map<string, ImatrixEntry> {
  const result = new Map(base);
  for (const [name, { sums, counts }] of added) {
    const before = result.get(name);
    if (before === undefined) {
      result.set(name, { sums, counts });
      continue;
    }
    if (before.sums.length !== sums.length || before.counts.length !== counts.length) {
      throw invalid(
        path,
        `has ${before.sums.length} columns for ${name}, and the model ${sums.length}: it was made for another model`,
      );
    }
    result.set(name, {
      sums: sums.map((value, index) => value + (before.sums[index] ?? 0)),
      counts: counts.map((value, index) => value + (before.counts[index] ?? 0)),
    });
  }
  return result;
}

/** Writes a file as llama-imatrix does: tensors in the order of their names, the same keys, and how far it is. */
export async function writeImatrix(path: string, imatrix: Imatrix): Promise<void> {
  const { entries, datasets, chunkSize, progress } = imatrix;
  const metadata = new Map<string, GgufValueInput>([
    ['general.type', { type: 'string', value: 'imatrix' }],
    ['imatrix.datasets', { type: 'array', elementType: 'string', value: datasets }],
    ['imatrix.chunk_count', { type: 'uint32', value: chunkCount(entries, chunkSize) }],
    ['imatrix.chunk_size', { type: 'uint32', value: chunkSize }],
  ]);
  if (progress !== undefined) {
    metadata.set(digestKey, { type: 'string', value: progress.textDigest });
    metadata.set(completedKey, { type: 'uint32', value: progress.completedChunks });
  }
  const names = [...entries.keys()].sort();
  const tensors = names.flatMap((name) => tensorsOf(name, entries.get(name)));
  await writeGgufAt(path, { metadata, tensors }, undefined);
}

/** Room that the numbers of a matrix take in a file, in bytes. */
export function imatrixBytes(entries: ReadonlyMap<string, ImatrixEntry>): number {
  let values = 0;
  for (const { sums, counts } of entries.values()) values += sums.length + counts.length;
  return values * Float32Array.BYTES_PER_ELEMENT;
}

function tensorsOf(name: string, entry: ImatrixEntry | undefined): GgufTensorInput[] {
  if (entry === undefined) return [];
  const { sums, counts } = entry;
  const matrices = counts.length;
  const tensor = (suffix: string, columns: number, values: Float32Array): GgufTensorInput => ({
    name: name + suffix,
    dimensions: matrices > 1 ? [columns, matrices] : [columns],
    type: 'F32',
    data: () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  return [
    tensor(sumsSuffix, sums.length / matrices, sums),
    tensor(countsSuffix, 1, Float32Array.from(counts)),
  ];
}

/** Reads a file of this package or of llama-imatrix. @throws IMATRIX_INVALID, FILE_ACCESS_FAILED, ABORTED. */
export async function readImatrix(path: string, signal?: AbortSignal): Promise<Imatrix> {
  const header = await readHeader(path, signal);
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  const names = header.tensors
    .map(({ name }) => name)
    .filter((name) => name.endsWith(sumsSuffix))
    .map((name) => name.slice(0, -sumsSuffix.length));
  const hasStrangers = header.tensors.length !== 2 * names.length;
  if (names.length === 0 || hasStrangers) throw invalid(path, 'is no importance matrix, or is damaged');
  const file = await open(path, 'r');
  try {
    const read = async (tensor: GgufTensorInfo | undefined) => {
      if (tensor === undefined || tensor.type !== 'F32') throw invalid(path, 'has sums without their counts');
      const bytes = new Uint8Array(tensor.byteSize);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, header.dataOffset + tensor.offset);
      if (bytesRead !== bytes.length) throw invalid(path, 'was cut');
      return new Float32Array(bytes.buffer);
    };
    const entries = new Map<string, ImatrixEntry>();
    for (const name of names) {
      const sums = await read(tensors.get(name + sumsSuffix));
      const counts = Float64Array.from(await read(tensors.get(name + countsSuffix)), Math.round);
      checkEntry(path, name, sums, counts);
      entries.set(name, { sums, counts });
    }
    return { entries, ...factsOf(header) };
  } finally {
    await file.close();
  }
}

function checkEntry(path: string, name: string, sums: Float32Array, counts: Float64Array): void {
  const fits = counts.length > 0 && sums.length > 0 && sums.length % counts.length === 0;
  const isNumbers =
    sums.every((sum) => sum >= 0 && sum < Number.POSITIVE_INFINITY) && counts.every((n) => n >= 0);
  if (!fits || !isNumbers) throw invalid(path, `has impossible values for ${name}`);
}

async function readHeader(path: string, signal: AbortSignal | undefined): Promise<GgufHeader> {
  try {
    return await readGgufHeader(path, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!LlamaNativeError.isInstance(error)) throw error;
    if (error.code === 'MODEL_NOT_FOUND') {
      const message = `The importance matrix ${path} could not be read: ${error.message}`;
      throw createError('FILE_ACCESS_FAILED', message, { cause: error, details: { path } });
    }
    if (error.code !== 'MODEL_INVALID' && error.code !== 'MODEL_UNSUPPORTED') throw error;
    const message = `Expected an importance matrix in GGUF; ${error.message}`;
    throw createError('IMATRIX_INVALID', message, { cause: error, details: { path } });
  }
}

function factsOf({ metadata }: GgufHeader): Omit<Imatrix, 'entries'> {
  const number = (key: string) => {
    const entry = metadata.get(key);
    return entry?.type === 'uint32' ? entry.value : undefined;
  };
  const datasets = metadata.get('imatrix.datasets');
  const digest = metadata.get(digestKey);
  const completedChunks = number(completedKey);
  return {
    datasets: datasets?.type === 'array' && datasets.elementType === 'string' ? [...datasets.value] : [],
    chunkSize: number('imatrix.chunk_size') ?? 0,
    progress:
      digest?.type === 'string' && completedChunks !== undefined
        ? { textDigest: digest.value, completedChunks }
        : undefined,
  };
}

function invalid(path: string, problem: string): LlamaNativeError {
  return createError('IMATRIX_INVALID', `The importance matrix ${path} ${problem}.`, { details: { path } });
}

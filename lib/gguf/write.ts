import { type FileHandle, open } from 'node:fs/promises';
import { abortError, checkKeys, checkSignal } from '../arguments.js';
import { createError } from '../errors.js';
import { EarlyFlush } from '../files/early-flush.js';
import { type OutputOptions, writeWholeFile } from '../files/write-whole-file.js';
import { encodeGgufHeader, type GgufValueInput } from './encode-header.js';
import { type TensorType, tensorByteSize, tensorTypeByName, tensorTypes } from './tensor-types.js';

/** The bytes of a tensor: at once, or piece by piece. */
export type TensorData = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A tensor to write. */
export interface GgufTensorInput {
  /** Up to 63 bytes. */
  readonly name: string;
  /** Elements along each dimension, fastest-changing first. */
  readonly dimensions: readonly number[];
  /** Name of the data type, such as `F32` or `Q8_0`. */
  readonly type: string;
  /** Called once, when the tensor's turn comes; gives exactly the bytes that type and dimensions ask for. */
  readonly data: () => TensorData;
}

/** What goes into a GGUF file. */
export interface GgufContent {
  /** Metadata in the order in which it is written. */
  readonly metadata: ReadonlyMap<string, GgufValueInput> | Readonly<Record<string, GgufValueInput>>;
  /** Default none. */
  readonly tensors?: readonly GgufTensorInput[];
}

export type { GgufValueInput } from './encode-header.js';

const defaultAlignment = 32;

/** A tensor with its place behind the header. */
export type Placed<Tensor> = Tensor & {
  readonly tensorType: TensorType;
  readonly offset: number;
  readonly byteSize: number;
};

/** What the place of a tensor depends on. */
export type TensorShape = Pick<GgufTensorInput, 'name' | 'dimensions' | 'type'>;

/** Options of {@link writeGguf}. */
export interface WriteGgufOptions extends OutputOptions {
  /** Cancels the writing; nothing of the file is left. */
  signal?: AbortSignal;
}

/**
 * Writes a GGUF file of version 3, little-endian. Tensor data is streamed: one piece is in memory at a time. A
 * `general.alignment` among the metadata is obeyed. The file appears under its name when it is whole.
 *
 * @throws INVALID_ARGUMENT for a value that does not fit its type and for tensor data of the wrong length;
 * OUTPUT_EXISTS, DISK_FULL, FILE_ACCESS_FAILED, ABORTED. After a failure no file is left.
 *
 * @example
 * ```ts
 * import { writeGguf } from 'llama-native';
 *
 * await writeGguf('tiny.gguf', {
 *   metadata: { 'general.architecture': { type: 'string', value: 'llama' } },
 *   tensors: [{ name: 'x', dimensions: [4], type: 'F32', data: () => new Uint8Array(16) }],
 * });
 * ```
 */
export async function writeGguf(
  path: string,
  content: GgufContent,
  options: WriteGgufOptions = {},
): Promise<void> {
  checkKeys('options', options, ['overwrite', 'signal']);
  checkSignal(options.signal);
  const layout = layOut(content);
  await writeWholeFile(path, { ...options, neededBytes: layout.fileBytes }, (temporaryPath) =>
    writeLayout(temporaryPath, layout, options.signal),
  );
}

/** As {@link writeGguf}, into a file that somebody else moves to its place when it is whole. */
export async function writeGgufAt(
  temporaryPath: string,
  content: GgufContent,
  signal: AbortSignal | undefined,
): Promise<void> {
  await writeLayout(temporaryPath, layOut(content), signal);
}

/** A file as it will be. */
interface FileLayout {
  readonly header: Buffer;
  readonly tensors: readonly Placed<GgufTensorInput>[];
  readonly alignment: number;
  readonly fileBytes: number;
}

function layOut(content: GgufContent): FileLayout {
  const metadata =
    content.metadata instanceof Map ? content.metadata : new Map(Object.entries(content.metadata));
  const alignment = alignmentOf(metadata);
  const tensors = placeTensors(content.tensors ?? [], alignment);
  const header = encodeGgufHeader(metadata, tensors);
  const last = tensors.at(-1);
  const fileBytes = header.length + (last === undefined ? 0 : last.offset + last.byteSize);
  return { header, tensors, alignment, fileBytes };
}

async function writeLayout(
  path: string,
  { header, tensors, alignment }: FileLayout,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await open(path, 'wx');
  const early = new EarlyFlush(file);
  try {
    await writeAll(file, header);
    if (tensors.length > 0) await writePadding(file, header.length, alignment);
    for (const tensor of tensors) {
      await writeTensor(file, tensor, early, signal);
      await writePadding(file, tensor.byteSize, alignment);
    }
  } finally {
    await early.settle().finally(() => file.close());
  }
}

/** `general.alignment`, or what holds without it. */
export function alignmentOf(metadata: ReadonlyMap<string, GgufValueInput>): number {
  const entry = metadata.get('general.alignment');
  if (entry === undefined) {
    return defaultAlignment;
  }
  if (entry.type !== 'uint32' || entry.value < 1 || (entry.value & (entry.value - 1)) !== 0) {
    throw invalid('Expected general.alignment to be a power of two of type uint32', entry.value);
  }
  return entry.value;
}

/** Puts tensors one behind the other. */
export function placeTensors<Tensor extends TensorShape>(
  tensors: readonly Tensor[],
  alignment: number,
): Placed<Tensor>[] {
  const names = new Set<string>();
  let offset = 0;
  return tensors.map((tensor) => {
    const tensorType = tensorTypeByName(tensor.type);
    if (tensorType === undefined) {
      const known = tensorTypes.map((type) => type.name).join(', ');
      throw invalid(`Expected the type of tensor '${tensor.name}' to be one of ${known}`, tensor.type);
    }
    checkName(tensor.name, names);
    checkDimensions(tensor, tensorType);
    const byteSize = tensorByteSize(tensorType, tensor.dimensions);
    const placed = { ...tensor, tensorType, offset, byteSize };
    offset += Math.ceil(byteSize / alignment) * alignment;
    return placed;
  });
}

function checkName(name: string, names: Set<string>): void {
  if (Buffer.byteLength(name) > 63 || names.has(name)) {
    throw invalid('Expected tensor names that differ and have 63 bytes at most', name);
  }
  names.add(name);
}

function checkDimensions({ name, dimensions }: TensorShape, type: TensorType): void {
  const areCounts = dimensions.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  if (dimensions.length < 1 || dimensions.length > 4 || !areCounts) {
    throw invalid(`Expected tensor '${name}' to have 1 to 4 whole dimensions`, dimensions);
  }
  if ((dimensions[0] ?? 0) % type.blockSize !== 0) {
    throw invalid(
      `Expected the first dimension of tensor '${name}' to be a multiple of ${type.blockSize} for ${type.name}`,
      dimensions[0],
    );
  }
}

async function writeTensor(
  file: FileHandle,
  tensor: Placed<GgufTensorInput>,
  early: EarlyFlush,
  signal: AbortSignal | undefined,
): Promise<void> {
  const data = tensor.data();
  let written = 0;
  for await (const piece of data instanceof Uint8Array ? [data] : data) {
    if (signal?.aborted) throw abortError(signal, 'Writing the file');
    written += piece.byteLength;
    if (written > tensor.byteSize) {
      break;
    }
    await writeAll(file, piece);
    early.advance(piece.byteLength);
  }
  if (written !== tensor.byteSize) {
    const received = written > tensor.byteSize ? 'more' : `${written}`;
    throw invalid(`Expected ${tensor.byteSize} bytes of data for tensor '${tensor.name}'`, received);
  }
}

/** Writes the zeros that stand between `length` bytes and the next multiple of the alignment. */
export async function writePadding(file: FileHandle, length: number, alignment: number): Promise<void> {
  await writeAll(file, Buffer.alloc((alignment - (length % alignment)) % alignment));
}

/** Writes all of it at the end of the file. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let position = 0;
  while (position < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, position);
    position += bytesWritten;
  }
}

function invalid(expected: string, received: unknown): Error {
  return createError('INVALID_ARGUMENT', `${expected}, received ${JSON.stringify(received)}.`);
}

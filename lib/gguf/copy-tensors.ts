import { type FileHandle, open } from 'node:fs/promises';
import { abortError } from '../arguments.js';
import { encodeGgufHeader, type GgufValueInput } from './encode-header.js';
import { invalidModel } from './invalid-model.js';
import type { GgufHeader, GgufTensorInfo } from './types.js';
import { alignmentOf, placeTensors, writeAll, writePadding } from './write.js';

/** How far the writing of files is. */
export interface GgufWriteProgress {
  /** File that is written now. */
  readonly path: string;
  /** Bytes of all files so far. */
  readonly writtenBytes: number;
  readonly totalBytes: number;
}

/** A tensor and the file it is taken from. */
export interface CopiedTensor extends GgufTensorInfo {
  readonly header: GgufHeader;
}

/** A file to write, made of tensors of other files. */
export interface CopyPlan {
  /** Its name, for progress. */
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValueInput>;
  readonly tensors: readonly CopiedTensor[];
}

/** The tensors of a file, to be copied. */
export function tensorsOf(header: GgufHeader): CopiedTensor[] {
  return header.tensors.map((tensor) => ({ ...tensor, header }));
}

/** Copied at once: large enough for the speed of the disk. */
const chunkBytes = 4 * 1024 * 1024;

/** A file that is planned, with its header as it will be written. */
interface PreparedFile {
  readonly plan: CopyPlan;
  readonly header: Buffer;
  readonly alignment: number;
  readonly sizeBytes: number;
}

/** Writes files whose tensors are copied from others, byte by byte. One chunk is in memory at a time. */
export class TensorCopier {
  /** What all files take together, but for padding. */
  readonly totalBytes: number;
  readonly #files: readonly PreparedFile[];
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: ((progress: GgufWriteProgress) => void) | undefined;
  readonly #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  readonly #sources = new Map<string, FileHandle>();
  #writtenBytes = 0;

  constructor(
    plans: readonly CopyPlan[],
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onProgress?: ((progress: GgufWriteProgress) => void) | undefined;
    },
  ) {
    this.#files = plans.map(prepare);
    this.totalBytes = this.#files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#signal = options.signal;
    this.#onProgress = options.onProgress;
  }

  /** Writes the files to these paths, in the order of the plans. */
  async write(paths: readonly string[]): Promise<void> {
    try {
      for (const [index, file] of this.#files.entries()) await this.#writeFile(paths[index] ?? '', file);
    } finally {
      await Promise.all([...this.#sources.values()].map((source) => source.close()));
      this.#sources.clear();
    }
  }

  async #writeFile(path: string, { plan, header, alignment }: PreparedFile): Promise<void> {
    const target = await open(path, 'wx');
    try {
      await writeAll(target, header);
      this.#advance(plan, header.length);
      await writePadding(target, header.length, alignment);
      for (const tensor of plan.tensors) {
        await this.#copy(tensor, target, plan);
        await writePadding(target, tensor.byteSize, alignment);
      }
    } finally {
      await target.close();
    }
  }

  async #copy({ header, offset, byteSize }: CopiedTensor, target: FileHandle, plan: CopyPlan): Promise<void> {
    const source = await this.#open(header.path);
    let position = header.dataOffset + offset;
    const end = position + byteSize;
    while (position < end) {
      if (this.#signal?.aborted) throw abortError(this.#signal, 'Writing the file');
      const length = Math.min(chunkBytes, end - position);
      const { bytesRead } = await source.read(this.#chunk, 0, length, position);
      if (bytesRead === 0) {
        throw invalidModel(header.path, `it became shorter than ${end} bytes while it was read. Try again.`);
      }
      await writeAll(target, this.#chunk.subarray(0, bytesRead));
      position += bytesRead;
      this.#advance(plan, bytesRead);
    }
  }

  async #open(path: string): Promise<FileHandle> {
    const opened = this.#sources.get(path);
    if (opened !== undefined) return opened;
    // One source at a time: a model may be in more files than a process may open.
    for (const source of this.#sources.values()) await source.close();
    this.#sources.clear();
    const source = await open(path, 'r');
    this.#sources.set(path, source);
    return source;
  }

  #advance({ path }: CopyPlan, bytes: number): void {
    this.#writtenBytes += bytes;
    this.#onProgress?.({ path, writtenBytes: this.#writtenBytes, totalBytes: this.totalBytes });
  }
}

function prepare(plan: CopyPlan): PreparedFile {
  const alignment = alignmentOf(plan.metadata);
  const tensors = placeTensors(plan.tensors, alignment);
  const header = encodeGgufHeader(plan.metadata, tensors);
  const sizeBytes = tensors.reduce((sum, { byteSize }) => sum + byteSize, header.length);
  return { plan, header, alignment, sizeBytes };
}

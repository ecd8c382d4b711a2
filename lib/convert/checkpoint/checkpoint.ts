import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createError, LlamaNativeError } from '../../errors.js';
import { invalidCheckpoint } from './errors.js';
import { findShards, type Shards } from './find-shards.js';
import { type JsonObject, readJsonFile } from './json-file.js';
import {
  type CheckpointTensor,
  parseSafetensorsHeader,
  prefixLength,
  safetensorsHeaderLength,
} from './safetensors-header.js';

/** Part of the bytes of a tensor. */
export interface ByteRange {
  readonly start: number;
  /** The first byte after it. */
  readonly end: number;
}

/** A folder with a model of Hugging Face: its configuration, and tensors that are read when they are asked for. */
export class Checkpoint {
  readonly folder: string;
  /** Content of config.json. */
  readonly config: JsonObject;
  /** In the order of the files and of their bytes. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** The files that are read: config.json and those of the weights. */
  readonly files: readonly string[];
  readonly #handles: ReadonlyMap<string, FileHandle>;

  private constructor(
    folder: string,
    config: JsonObject,
    tensors: ReadonlyMap<string, CheckpointTensor>,
    handles: ReadonlyMap<string, FileHandle>,
  ) {
    this.folder = folder;
    this.config = config;
    this.tensors = tensors;
    this.files = [join(folder, 'config.json'), ...handles.keys()];
    this.#handles = handles;
  }

  /**
   * Opens a folder and reads the headers of all its safetensors files. {@link close} it afterwards.
   * @throws ConversionError CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED; FILE_ACCESS_FAILED.
   */
  static async open(folder: string): Promise<Checkpoint> {
    await requireFolder(folder);
    const config = await readJsonFile(join(folder, 'config.json'));
    if (config === undefined) {
      throw invalidCheckpoint(folder, 'expected a file config.json; found none.');
    }
    const handles = new Map<string, FileHandle>();
    try {
      const shards = await findShards(folder);
      return new Checkpoint(folder, config, await openShards(shards, handles), handles);
    } catch (error) {
      await closeAll(handles);
      throw LlamaNativeError.isInstance(error) ? error : unreadable(folder, error);
    }
  }

  /** The tensor of this name. */
  tensor(name: string): CheckpointTensor {
    const tensor = this.tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw invalidCheckpoint(this.folder, `it has no tensor '${name}'.`, { tensor: name });
  }

  /** Reads the bytes of a tensor, all of them or a range. */
  async read(name: string, range?: ByteRange): Promise<Uint8Array> {
    const { byteSize } = this.tensor(name);
    const { start, end } = range ?? { start: 0, end: byteSize };
    if (
      !(
        Number.isSafeInteger(start) &&
        Number.isSafeInteger(end) &&
        0 <= start &&
        start <= end &&
        end <= byteSize
      )
    ) {
      throw createError(
        'INTERNAL',
        `Bytes ${start} to ${end} of '${name}' were asked for; it has ${byteSize}.`,
      );
    }
    const bytes = Buffer.allocUnsafeSlow(end - start);
    await this.readInto(name, start, bytes);
    return bytes;
  }

  /** Fills `target` with the bytes of a tensor from `start` on. */
  async readInto(name: string, start: number, target: Uint8Array): Promise<void> {
    const tensor = this.tensor(name);
    if (!(Number.isSafeInteger(start) && start >= 0 && start + target.byteLength <= tensor.byteSize)) {
      throw createError(
        'INTERNAL',
        `${target.byteLength} bytes of '${name}' from ${start} on were asked for.`,
      );
    }
    const file = this.#handles.get(tensor.file);
    if (file === undefined) throw createError('INTERNAL', `The file of '${name}' is not open.`);
    await readExactly(file, tensor.file, tensor.start + start, target);
  }

  /** Closes the files. Nothing can be read afterwards. */
  async close(): Promise<void> {
    await closeAll(this.#handles);
  }
}

async function requireFolder(folder: string): Promise<void> {
  const status = await stat(folder).catch(() => undefined);
  if (status?.isDirectory()) return;
  const found = status === undefined ? 'there is nothing of that name' : 'it is a file';
  throw invalidCheckpoint(
    folder,
    `expected a folder with config.json, a tokenizer and safetensors files; ${found}.`,
  );
}

async function openShards(
  { paths, fileOf }: Shards,
  handles: Map<string, FileHandle>,
): Promise<Map<string, CheckpointTensor>> {
  const tensors = new Map<string, CheckpointTensor>();
  for (const path of paths) {
    const file = await open(path, 'r');
    handles.set(path, file);
    for (const tensor of await readHeader(file, path)) {
      const other = tensors.get(tensor.name);
      if (other !== undefined) {
        throw invalidCheckpoint(path, `the tensor '${tensor.name}' is in ${other.file} too.`, {
          tensor: tensor.name,
        });
      }
      tensors.set(tensor.name, tensor);
    }
  }
  for (const [name, file] of fileOf ?? []) {
    const found = tensors.get(name);
    if (found !== undefined && basename(found.file) === file) continue;
    throw invalidCheckpoint(file, `the index places the tensor '${name}' in it, and it is not there.`, {
      tensor: name,
    });
  }
  return tensors;
}

async function readHeader(file: FileHandle, path: string): Promise<CheckpointTensor[]> {
  const status = await file.stat();
  if (!status.isFile()) throw invalidCheckpoint(path, 'expected a file, found something else.');
  const prefix = Buffer.alloc(Math.min(prefixLength, status.size));
  await readExactly(file, path, 0, prefix);
  const text = Buffer.alloc(safetensorsHeaderLength(path, prefix, status.size));
  await readExactly(file, path, prefixLength, text);
  return parseSafetensorsHeader(path, text, status.size);
}

/** One call of the system reads 2 GiB at most. */
const longestRead = 1 << 30;

async function readExactly(
  file: FileHandle,
  path: string,
  position: number,
  target: Uint8Array,
): Promise<void> {
  let filled = 0;
  while (filled < target.byteLength) {
    const length = Math.min(longestRead, target.byteLength - filled);
    const { bytesRead } = await file.read(target, filled, length, position + filled).catch((error) => {
      throw unreadable(path, error);
    });
    if (bytesRead === 0) throw invalidCheckpoint(path, 'it became shorter while it was read.');
    filled += bytesRead;
  }
}

async function closeAll(handles: ReadonlyMap<string, FileHandle>): Promise<void> {
  await Promise.all([...handles.values()].map((handle) => handle.close()));
}

function unreadable(path: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return createError('FILE_ACCESS_FAILED', `${path} could not be read: ${reason}.`, {
    cause,
    details: { path },
  });
}

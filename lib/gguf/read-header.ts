import { type FileHandle, open, stat } from 'node:fs/promises';
import { createError } from '../errors.js';
import { type ByteSource, FileBytes } from './byte-source.js';
import { describeContent } from './describe-content.js';
import { invalidModel } from './invalid-model.js';
import { HeaderParser } from './parse-header.js';
import type { ByteHolder } from './string-array.js';
import type { GgufHeader } from './types.js';

/** Headers with 260 000 tokens take about 15 MB; ten times that is damage, not a model. */
const maxHeaderBytes = 256 * 1024 * 1024;

/** By how much more is read when what was read is not enough: what was parsed in vain is a small part then. */
const growth = 4;
/** How much further than before is read at least: no more than twice a header in all, which counts on a network. */
const step = 2;

/** Options of {@link readGgufHeader}. */
export interface ReadHeaderOptions {
  /** Stops the reading. */
  signal?: AbortSignal;
}

/**
 * Reads everything before the tensor data of a GGUF file. Arrays stay compact: a vocabulary is not turned into
 * strings before it is asked for.
 *
 * Throws MODEL_NOT_FOUND when there is no such file, MODEL_INVALID when it is not GGUF or is damaged (the message
 * says what it seems to be), MODEL_UNSUPPORTED for a version or byte order that llama.cpp does not read, ABORTED.
 */
export async function readGgufHeader(path: string, options: ReadHeaderOptions = {}): Promise<GgufHeader> {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw createError(
      'INVALID_ARGUMENT',
      `Expected the path of a GGUF file, received ${JSON.stringify(path)}.`,
    );
  }
  throwIfAborted(path, options.signal);
  const file = await openModelFile(path);
  try {
    const { size } = await file.stat();
    return await readHeaderFrom(new FileBytes(path, file, size), options);
  } finally {
    await file.close();
  }
}

/**
 * As {@link readGgufHeader}, from wherever the bytes come. No more is allocated than four times what has arrived.
 */
export async function readHeaderFrom(
  source: ByteSource,
  options: ReadHeaderOptions = {},
): Promise<GgufHeader> {
  const { name, sizeBytes } = source;
  if (sizeBytes === 0) throw invalidModel(name, describeContent(Buffer.alloc(0), 0));
  const holder: ByteHolder = { bytes: Buffer.alloc(0) };
  const parser = new HeaderParser(name, sizeBytes, holder);
  let wanted = Math.min(source.firstReadBytes, sizeBytes);
  for (;;) {
    while (holder.bytes.length < wanted) {
      throwIfAborted(name, options.signal);
      const most = holder.bytes.length === 0 ? source.firstReadBytes : growth * holder.bytes.length;
      await extend(source, holder, Math.min(wanted, most));
    }
    const result = parser.advance();
    if (typeof result !== 'number') return result;
    if (result > maxHeaderBytes) {
      throw invalidModel(
        name,
        `its header needs more than ${maxHeaderBytes} bytes. The file is damaged; download it again.`,
      );
    }
    wanted = Math.min(Math.max(result, step * holder.bytes.length), maxHeaderBytes, sizeBytes);
  }
}

/** Makes the holder contain the first `length` bytes. */
async function extend(source: ByteSource, holder: ByteHolder, length: number): Promise<void> {
  const bytes = Buffer.allocUnsafeSlow(length);
  const filled = holder.bytes.copy(bytes);
  await source.readInto(bytes.subarray(filled), filled);
  holder.bytes = bytes;
}

async function openModelFile(path: string): Promise<FileHandle> {
  try {
    // Asked before opening, because opening a named pipe waits for its other end.
    const status = await stat(path);
    if (!status.isFile()) {
      const kind = status.isDirectory() ? 'a directory; name the .gguf file in it' : 'not a regular file';
      throw createError('MODEL_NOT_FOUND', `Expected a GGUF file, but ${path} is ${kind}.`, {
        details: { path },
      });
    }
    return await open(path, 'r');
  } catch (error) {
    throw asNotFound(path, error);
  }
}

function asNotFound(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reasons: Record<string, string> = {
    ENOENT: 'does not exist. Check the path.',
    ENOTDIR: 'does not exist: a part of its path is not a directory. Check the path.',
    EACCES: 'may not be read by this user. Check its permissions.',
    EPERM: 'may not be read by this user. Check its permissions.',
    ELOOP: 'is a symbolic link that leads to itself.',
    ENAMETOOLONG: 'has a longer path than this system allows.',
  };
  const reason = typeof code === 'string' ? reasons[code] : undefined;
  return reason === undefined
    ? error
    : createError('MODEL_NOT_FOUND', `The model file ${path} ${reason}`, { cause: error, details: { path } });
}

function throwIfAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw createError('ABORTED', `Reading ${path} was cancelled.`, { cause: signal.reason });
  }
}

import { type FileHandle, open, stat } from 'node:fs/promises';
import { createError } from '../errors.js';
import { describeContent } from './describe-content.js';
import { invalidModel } from './invalid-model.js';
import { HeaderParser } from './parse-header.js';
import type { ByteHolder } from './string-array.js';
import type { GgufHeader } from './types.js';

/** Read first; enough for most headers without a vocabulary of more than 50 000 tokens. */
const firstReadBytes = 2 * 1024 * 1024;
/** Headers with 260 000 tokens take about 15 MB; ten times that is damage, not a model. */
const maxHeaderBytes = 256 * 1024 * 1024;

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
    if (size === 0) {
      throw invalidModel(path, describeContent(Buffer.alloc(0), 0));
    }
    return await readAndParse(path, file, size, options.signal);
  } finally {
    await file.close();
  }
}

async function readAndParse(
  path: string,
  file: FileHandle,
  fileSize: number,
  signal: AbortSignal | undefined,
): Promise<GgufHeader> {
  const holder: ByteHolder = { bytes: Buffer.alloc(0) };
  const parser = new HeaderParser(path, fileSize, holder);
  let wanted = firstReadBytes;
  for (;;) {
    throwIfAborted(path, signal);
    await extend(path, file, holder, Math.min(wanted, fileSize));
    const result = parser.advance();
    if (typeof result !== 'number') {
      return result;
    }
    if (result > maxHeaderBytes) {
      throw invalidModel(
        path,
        `its header needs more than ${maxHeaderBytes} bytes. The file is damaged; download it again.`,
      );
    }
    wanted = Math.min(Math.max(result, 2 * holder.bytes.length), maxHeaderBytes);
  }
}

/** Makes the holder contain the first `length` bytes of the file. */
async function extend(path: string, file: FileHandle, holder: ByteHolder, length: number): Promise<void> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = holder.bytes.copy(bytes);
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, filled);
    if (bytesRead === 0) {
      throw invalidModel(path, `it became shorter than ${length} bytes while it was read. Try again.`);
    }
    filled += bytesRead;
  }
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

import { type FileHandle, open, stat } from 'node:fs/promises';
import { createError } from '../errors.js';
import { type ByteSource, FileBytes } from './byte-source.js';
import { describeContent } from './describe-content.js';
import { GrowingBytes } from './growing-bytes.js';
import { invalidModel } from './invalid-model.js';
import { HeaderParser } from './parse-header.js';
import type { GgufHeader } from './types.js';

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
    return await readHeaderFrom(new FileBytes(path, file, size), options);
  } finally {
    await file.close();
  }
}

/**
 * As {@link readGgufHeader}, from wherever the bytes come. No more is allocated than four times what has arrived, or
 * what the source wants at first.
 */
export async function readHeaderFrom(
  source: ByteSource,
  options: ReadHeaderOptions = {},
): Promise<GgufHeader> {
  if (source.sizeBytes === 0) throw invalidModel(source.name, describeContent(Buffer.alloc(0), 0));
  const bytes = new GrowingBytes(source, maxHeaderBytes);
  try {
    return await parseGrowing(source, bytes, options.signal);
  } finally {
    await bytes.settle(); // whoever closes the source must find nothing that still reads
  }
}

async function parseGrowing(
  { name, sizeBytes, firstReadBytes, stepBytes }: ByteSource,
  bytes: GrowingBytes,
  signal: AbortSignal | undefined,
): Promise<GgufHeader> {
  const parser = new HeaderParser(name, sizeBytes, bytes);
  let wanted = Math.min(firstReadBytes, sizeBytes);
  for (let round = 0; ; round++) {
    while (bytes.length < wanted) {
      throwIfAborted(name, signal);
      await bytes.extendTo(wanted);
    }
    // Most headers are longer than a first read that was too short.
    if (round > 0 && stepBytes !== undefined) bytes.readAhead(stepBytes);
    const result = parser.advance();
    if (typeof result !== 'number') {
      bytes.release(parser.parsedBytes);
      return result;
    }
    if (result > maxHeaderBytes) {
      throw invalidModel(
        name,
        `its header needs more than ${maxHeaderBytes} bytes. The file is damaged; download it again.`,
      );
    }
    wanted = Math.min(
      Math.max(result, bytes.length + (stepBytes ?? bytes.length)),
      maxHeaderBytes,
      sizeBytes,
    );
  }
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

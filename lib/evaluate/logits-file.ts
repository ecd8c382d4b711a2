import { type FileHandle, open } from 'node:fs/promises';
import { createError, type LlamaNativeError } from '../errors.js';
import { writeWholeFile } from '../files/write-whole-file.js';
import type { Windows } from './windows.js';

/**
 * Files of log-probabilities, in the form of llama-perplexity (tools/perplexity/perplexity.cpp, `--save-all-logits`):
 *
 *     8 bytes   the word "_logits_"
 *     4 bytes   tokens of a chunk, then 4 for the size of the vocabulary, 4 for the number of chunks
 *     ...       the tokens of all chunks, 4 bytes each
 *     ...       for each chunk the packed log-probabilities of the tokens behind its first half
 *
 * All numbers are little-endian, as on every machine that llama.cpp runs on here.
 */
const magic = Buffer.from('_logits_');
const headerLength = 20;

/** Bytes of one packed row: two floats, and 16 bits for each token of the vocabulary, their number made even. */
export function packedRowBytes(vocabularySize: number): number {
  return 8 + 4 * Math.ceil(vocabularySize / 2);
}

/** Bytes of a chunk's rows. */
function chunkBytes(contextSize: number, vocabularySize: number): number {
  return (contextSize - 1 - Math.floor(contextSize / 2)) * packedRowBytes(vocabularySize);
}

/** A file of log-probabilities to compare with. */
export class LogitsFile {
  readonly contextSize: number;
  readonly vocabularySize: number;
  readonly chunks: number;
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle, header: Buffer) {
    this.#path = path;
    this.#file = file;
    this.contextSize = header.readInt32LE(8);
    this.vocabularySize = header.readInt32LE(12);
    this.chunks = header.readInt32LE(16);
  }

  /** @throws REFERENCE_INVALID for a file that is none, or is cut; FILE_ACCESS_FAILED. */
  static async open(path: string): Promise<LogitsFile> {
    const file = await open(path, 'r').catch((cause: Error) => {
      throw createError('FILE_ACCESS_FAILED', `The reference ${path} could not be read: ${cause.message}.`, {
        cause,
        details: { path },
      });
    });
    try {
      const logits = new LogitsFile(path, file, await readHeader(path, file));
      await logits.#checkSize();
      return logits;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Checks that it was made with the same vocabulary and the same text.
   * @throws REFERENCE_INVALID.
   */
  async checkText(tokens: Int32Array, vocabularySize: number): Promise<void> {
    if (this.vocabularySize !== vocabularySize) {
      throw this.#invalid(
        `holds log-probabilities for a vocabulary of ${this.vocabularySize} tokens, and that of the model has ` +
          `${vocabularySize}. Compare models of the same family.`,
      );
    }
    const held = Math.min(this.chunks * this.contextSize, tokens.length);
    const bytes = await this.#read(headerLength, held * 4);
    const theirs = new Int32Array(bytes.buffer, bytes.byteOffset, held);
    const different = theirs.findIndex((token, index) => token !== tokens[index]);
    if (different === -1) return;
    throw this.#invalid(
      `was made with another text, or another tokenizer: they differ from token ${different} on. Give the text it was ` +
        'made with, or make it again.',
    );
  }

  /** The packed rows of some chunks. */
  readRows(from: number, count: number): Promise<Buffer> {
    const bytes = chunkBytes(this.contextSize, this.vocabularySize);
    return this.#read(this.#rowsOffset + from * bytes, count * bytes);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  get #rowsOffset(): number {
    return headerLength + 4 * this.chunks * this.contextSize;
  }

  async #checkSize(): Promise<void> {
    const { contextSize, vocabularySize, chunks } = this;
    if (contextSize < 2 || vocabularySize < 1 || chunks < 1) throw this.#invalid('has a damaged header.');
    const { size } = await this.#file.stat();
    const expected = this.#rowsOffset + chunks * chunkBytes(contextSize, vocabularySize);
    if (size === expected) return;
    throw this.#invalid(
      `should have ${expected} bytes and has ${size}: it was cut or is damaged. Make it again.`,
    );
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#file.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw this.#invalid('became shorter while it was read.');
      filled += bytesRead;
    }
    return bytes;
  }

  #invalid(problem: string): LlamaNativeError {
    return createError('REFERENCE_INVALID', `The reference ${this.#path} ${problem}`, {
      details: { path: this.#path },
    });
  }
}

async function readHeader(path: string, file: FileHandle): Promise<Buffer> {
  const header = Buffer.alloc(headerLength);
  const { bytesRead } = await file.read(header, 0, headerLength, 0).catch(() => ({ bytesRead: 0 }));
  if (bytesRead === headerLength && header.subarray(0, magic.length).equals(magic)) return header;
  throw createError(
    'REFERENCE_INVALID',
    `Expected a file of log-probabilities, as saveLogProbabilities or llama-perplexity --save-all-logits write it; ` +
      `${path} is none.`,
    { details: { path } },
  );
}

/** Writes rows as they are made. */
export type RowWriter = (rows: Uint8Array) => Promise<void>;

/**
 * Writes a file of log-probabilities, whose rows `write` gives.
 * @throws what `writeWholeFile` throws.
 */
export function writeLogitsFile<Result>(
  path: string,
  { windows, vocabularySize, overwrite, signal }: LogitsFileContent,
  write: (writeRows: RowWriter) => Promise<Result>,
): Promise<Result> {
  const { tokens, length, count } = windows;
  const header = Buffer.alloc(headerLength);
  magic.copy(header);
  header.writeInt32LE(length, 8);
  header.writeInt32LE(vocabularySize, 12);
  header.writeInt32LE(count, 16);
  const held = tokens.subarray(0, count * length);
  const tokenBytes = new Uint8Array(held.buffer, held.byteOffset, held.byteLength);
  const neededBytes = headerLength + tokenBytes.length + count * chunkBytes(length, vocabularySize);
  return writeWholeFile(path, { overwrite, neededBytes, signal }, async (temporaryPath) => {
    const file = await open(temporaryPath, 'w');
    try {
      const append = async (bytes: Uint8Array) => {
        for (let position = 0; position < bytes.byteLength; ) {
          position += (await file.write(bytes, position)).bytesWritten;
        }
      };
      await append(header);
      await append(tokenBytes);
      return await write(append);
    } finally {
      await file.close();
    }
  });
}

/** What is known of a file of log-probabilities before it is written. */
export interface LogitsFileContent {
  readonly windows: Windows;
  readonly vocabularySize: number;
  readonly overwrite: boolean;
  readonly signal: AbortSignal | undefined;
}

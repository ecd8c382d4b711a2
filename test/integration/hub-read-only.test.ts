import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';
import { type Failure, noDisk, runOnDisk } from '../helpers/mounted-disk.js';
import { writeTinyGenerator } from '../helpers/tiny-generator.js';

const prelude = `
  import { execFileSync, spawnSync } from 'node:child_process';
  import { listCachedModels, loadModel, removeCachedModel } from 'llama-native';
  import { resolveModelWith } from '../hub/resolve-model.js';
  import { defaultTuning } from '../hub/settings.js';
  const { endpoint } = given;
  const cacheDirectory = disk + '/cache';
  const options = { cacheDirectory, endpoint, offline: false };
  const tuning = { ...defaultTuning, attempts: 2, firstDelayMs: 5 };
  const resolve = (source, more) => resolveModelWith(source, { ...options, ...more }, tuning);
  const makeReadOnly = () => execFileSync('mount', ['-o', 'remount,ro', disk]);
`;

async function prepare() {
  const path = join(await temporaryDirectory(), 'generator.gguf');
  await writeTinyGenerator(path);
  const files = { 'tiny-Q4_K_M.gguf': await readFile(path), 'tiny-Q8_0.gguf': fakeModel(100_000) };
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files } });
  const run = <Result>(program: string) =>
    runOnDisk<Result>({ sizeBytes: 8_000_000, given: { endpoint: hub.url } }, prelude + program);
  return { hub, run };
}

// Root may write whatever the permissions say, so that a disk has to be read-only for it.
describe.skipIf(noDisk)('a cache on a disk that is read-only', { timeout: 60_000 }, () => {
  it('gives what it has without asking anyone: to load, to list, to the command line', async () => {
    const { hub, run } = await prepare();
    const result = await run<{
      text: string;
      unnamed: boolean;
      listed: string[];
      output: string;
      code: number;
    }>(`
      const path = await resolve('hf:maker/tiny-GGUF:Q4_K_M');
      makeReadOnly();
      await fetch(endpoint + '/read-only').then((response) => response.text());
      const model = await loadModel('hf:maker/tiny-GGUF:Q4_K_M', { cacheDirectory, endpoint, contextSize: 64, threads: 1 });
      const { text } = await model.generate('a', { maxTokens: 4 }).result;
      await model.close();
      const unnamed = (await resolve('hf:maker/tiny-GGUF')) === path;
      const listed = (await listCachedModels({ cacheDirectory })).map(({ source }) => source);
      const command = ['../cli/index.js', 'list'].map((word, index) => index === 0 ? new URL(word, import.meta.url).pathname : word);
      const { stdout, stderr, status } = spawnSync(process.execPath, command, {
        env: { ...process.env, HF_HUB_CACHE: cacheDirectory }, encoding: 'utf8',
      });
      report({ text, unnamed, listed, output: stdout + stderr, code: status });
    `);
    expect(result.text).not.toBe('');
    expect(result.unnamed).toBe(true);
    expect(result.listed).toEqual([`hf:maker/tiny-GGUF@${commit}:tiny-Q4_K_M.gguf`]);
    expect(result.output).toContain('maker/tiny-GGUF');
    expect(result.code).toBe(0);
    const paths = hub.requests.map(({ path }) => path);
    expect(paths.slice(paths.indexOf('/read-only'))).toEqual(['/read-only']);
  });

  it('gives what another program put there, though no list of the repository can be kept', async () => {
    const { run } = await prepare();
    const { path } = await run<{ path: string }>(`
      const blob = await resolve('hf:maker/tiny-GGUF:Q4_K_M');
      rmSync(cacheDirectory + '/models--maker--tiny-GGUF/.llama-native', { recursive: true });
      makeReadOnly();
      report({ path: (await resolve('hf:maker/tiny-GGUF', { update: true })).slice(cacheDirectory.length) });
    `);
    expect(path).toBe(`/models--maker--tiny-GGUF/snapshots/${commit}/tiny-Q4_K_M.gguf`);
  });

  it('refuses a download, a conversion and a removal, each with the folder and another way', async () => {
    const { run } = await prepare();
    const { failures, cacheDirectory, files } = await run<{
      failures: Record<string, Failure>;
      cacheDirectory: string;
      files: string[];
    }>(`
      import { mkdtempSync, writeFileSync as write } from 'node:fs';
      await resolve('hf:maker/tiny-GGUF:Q4_K_M');
      makeReadOnly();
      const file = await failureOf(resolve('hf:maker/tiny-GGUF:Q8_0'));
      const checkpoint = mkdtempSync('checkpoint-');
      write(checkpoint + '/config.json', '{ "architectures": ["LlamaForCausalLM"] }');
      const converted = await failureOf(loadModel(checkpoint, { cacheDirectory }));
      const removal = await failureOf(removeCachedModel('maker/tiny-GGUF', { cacheDirectory }));
      report({ failures: { file, converted, removal }, cacheDirectory, files: filesOn() });
    `);
    const { file, converted, removal } = failures;
    expect({ file: file?.code, converted: converted?.code, removal: removal?.code }).toEqual({
      file: 'DOWNLOAD_FAILED',
      converted: 'DOWNLOAD_FAILED',
      removal: 'FILE_ACCESS_FAILED',
    });
    for (const failure of [file, converted, removal]) {
      expect(failure?.message).toContain('EROFS');
      expect(failure?.message).toContain(cacheDirectory);
      expect(failure?.message).toMatch(/permissions/);
    }
    expect(file?.message).toContain('HF_HUB_CACHE');
    expect(files).toContain('tiny-Q4_K_M.gguf');
  });
});

describe('a cache in a folder that cannot be made', () => {
  const attempt = async (cacheDirectory: string) => {
    const hub = await startHub({
      'maker/tiny-GGUF': { commit, files: { 'tiny-Q8_0.gguf': fakeModel(1000) } },
    });
    const options = { cacheDirectory, endpoint: hub.url, offline: false };
    return errorOf(resolveModelWith('hf:maker/tiny-GGUF', options, fastTuning), 'DOWNLOAD_FAILED');
  };

  // Elsewhere there is no file system that says that a folder is not there while it is.
  it.skipIf(process.platform !== 'linux')(
    'since it is in /proc, where nothing can be, is an error and no endless wait',
    async () => {
      const error = await attempt('/proc/llama-native/hub');
      expect(error.message).toMatch(/ENOENT.*\/proc\/llama-native.*HF_HUB_CACHE/);
    },
  );

  it('since it is below a link that leads nowhere, as to a disk that is not mounted, names the link', async () => {
    const link = join(await temporaryDirectory(), 'link');
    await symlink('/not/mounted/here', link);
    const error = await attempt(join(link, 'hub'));
    expect(error.message).toContain(`${link} is a link, and the folder that it leads to is not there`);
  });

  it('since it is below a file is an error', async () => {
    const file = join(await temporaryDirectory(), 'file');
    await writeFile(file, '');
    const error = await attempt(join(file, 'hub'));
    expect(error.message).toMatch(/ENOTDIR/);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Library } from '../../lib/cli/library.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { createError } from '../../lib/errors.js';
import { quantizationOf } from '../../lib/hub/quantization.js';
import type { CachedModel } from '../../lib/index.js';
import { createTestContext, Keyboard, keys, type TestContextOptions } from '../helpers/cli-context.js';

/** Runs a command line over a fake library. */
async function run(programArguments: string[], library: Partial<Library>, options: TestContextOptions = {}) {
  const context = createTestContext({
    ...options,
    library: { quantizationOf, listCachedModels: async () => [], ...library },
  });
  const exitCode = await runCommandLine(programArguments, context);
  return { exitCode, output: context.outputStream.text, notes: context.notesStream.text };
}

const commit = '0123456789abcdef0123456789abcdef01234567';

function cached(repository: string, file: string, revision = commit): CachedModel {
  return {
    source: `hf:${repository}@${revision}:${file}`,
    repository,
    revision,
    file,
    path: `/cache/${file}`,
    sizeBytes: 98_362_432,
    lastModified: new Date(Date.now() - 3 * 86_400_000),
  };
}

describe('list', () => {
  it('shows name, quantization, size and age', async () => {
    const models = [cached('owner/模型', 'model-Q4_K_M.gguf'), cached('owner/other', 'other.gguf')];
    const { exitCode, output } = await run(['list'], { listCachedModels: async () => models });
    expect(exitCode).toBe(0);
    expect(output.split('\n')).toEqual([
      'NAME                             QUANTIZATION     SIZE  MODIFIED',
      'hf:owner/模型:model-Q4_K_M.gguf  Q4_K_M        98.4 MB  3 days ago',
      'hf:owner/other:other.gguf        -             98.4 MB  3 days ago',
      '',
    ]);
  });

  it('names the commit only of a file that is there twice', async () => {
    const other = commit.replaceAll('0', 'f');
    const models = [cached('a/b', 'x.gguf'), cached('a/b', 'x.gguf', other), cached('a/b', 'y.gguf')];
    const { output } = await run(['ls'], { listCachedModels: async () => models });
    expect(output).toContain(`hf:a/b@${commit}:x.gguf`);
    expect(output).toContain(`hf:a/b@${other}:x.gguf`);
    expect(output).toContain('hf:a/b:y.gguf');
  });

  it('prints everything as JSON', async () => {
    const listCachedModels = async () => [cached('a/b', 'x-Q8_0.gguf')];
    const { output } = await run(['list', '--json'], { listCachedModels });
    expect(JSON.parse(output)).toMatchObject([
      {
        source: `hf:a/b@${commit}:x-Q8_0.gguf`,
        quantization: 'Q8_0',
        sizeBytes: 98_362_432,
        file: 'x-Q8_0.gguf',
      },
    ]);
  });

  it('says on stderr that nothing is there, and prints an empty array as JSON', async () => {
    const listCachedModels = async () => [];
    expect(await run(['list'], { listCachedModels })).toMatchObject({ exitCode: 0, output: '' });
    expect((await run(['list', '--json'], { listCachedModels })).output).toBe('[]\n');
  });

  it('looks into the folder that was named', async () => {
    const asked: unknown[] = [];
    const listCachedModels: Library['listCachedModels'] = async (options) => {
      asked.push(options);
      return [];
    };
    await run(['list', '--cache-directory', '/somewhere'], { listCachedModels });
    expect(asked).toEqual([{ cacheDirectory: '/somewhere' }]);
  });
});

describe('rm', () => {
  const removed: string[] = [];
  const removeCachedModel: Library['removeCachedModel'] = async (name) => {
    removed.push(name);
    return 98_362_432;
  };
  beforeEach(() => removed.splice(0));

  it('removes at once with --yes and says what became free', async () => {
    const { output } = await run(['rm', 'hf:a/b', '--yes'], { removeCachedModel });
    expect(removed).toEqual(['hf:a/b']);
    expect(output).toBe('Removed hf:a/b: 98.4 MB freed.\n');
  });

  it('refuses with exit code 2 where nobody can be asked', async () => {
    const { exitCode, notes } = await run(['rm', 'hf:a/b'], { removeCachedModel });
    expect(exitCode).toBe(2);
    expect(notes).toContain('hint: add --yes.');
    expect(removed).toEqual([]);
  });

  it.each([
    ['y', ['hf:a/b'], 0],
    ['YES', ['hf:a/b'], 0],
    ['', [], 1],
    ['no', [], 1],
  ])('asks at a terminal, and takes %j as an answer', async (answer, expected, code) => {
    const keyboard = new Keyboard();
    const running = run(['rm', 'hf:a/b'], { removeCachedModel }, { input: keyboard, isTerminal: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await keyboard.type(`${answer}${keys.enter}`);
    const { exitCode, notes } = await running;
    expect(notes).toContain('Remove hf:a/b? [y/N]');
    expect(removed).toEqual(expected);
    expect(exitCode).toBe(code);
  });

  it.each([keys.controlC, keys.controlD])('takes key %j as no', async (key) => {
    const keyboard = new Keyboard();
    const running = run(['rm', 'hf:a/b'], { removeCachedModel }, { input: keyboard, isTerminal: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await keyboard.type(key);
    expect((await running).exitCode).toBe(1);
    expect(removed).toEqual([]);
  });

  it('tells that there is no such model', async () => {
    const fail = async () => {
      throw createError('MODEL_NOT_FOUND', "The cache has no model 'x'.");
    };
    const { exitCode, notes } = await run(['rm', 'x', '--yes'], { removeCachedModel: fail });
    expect(exitCode).toBe(1);
    expect(notes).toContain('code: MODEL_NOT_FOUND');
  });
});

describe('pull', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'llama-native-pull-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('prints the path of the file, and its size with --json', async () => {
    const path = join(directory, 'x.gguf');
    await writeFile(path, 'bytes');
    const resolveModel = async () => path;
    expect((await run(['pull', 'hf:a/b'], { resolveModel })).output).toBe(`${path}\n`);
    const { output } = await run(['pull', 'hf:a/b', '--json'], { resolveModel });
    expect(JSON.parse(output)).toEqual({ path, sizeBytes: 5 });
  });

  it('takes what is listed by the name it is listed with, without asking the hub', async () => {
    const listCachedModels = async () => [cached('a/b', 'x.gguf')];
    const resolveModel = async () => '/from/the/hub';
    const pull = async (...given: string[]) =>
      (await run(['pull', ...given], { listCachedModels, resolveModel })).output.trim();
    expect(await pull('hf:a/b:x.gguf')).toBe('/cache/x.gguf');
    expect(await pull('hf:a/b:y.gguf')).toBe('/from/the/hub');
    expect(await pull('hf:a/b:x.gguf', '--update')).toBe('/from/the/hub');
  });

  it('passes the options on', async () => {
    const asked: unknown[] = [];
    const resolveModel: Library['resolveModel'] = async (
      source,
      { signal: _, onProgress: __, ...given } = {},
    ) => {
      asked.push([source, given]);
      return '/x';
    };
    await run(['pull', 'hf:a/b', '--update', '--endpoint', 'https://mirror.test'], { resolveModel });
    expect(asked).toEqual([['hf:a/b', { update: true, endpoint: 'https://mirror.test' }]]);
  });

  it('shows progress on a terminal only', async () => {
    const resolveModel: Library['resolveModel'] = async (_source, options = {}) => {
      for (const downloadedBytes of [0, 50_000_000, 100_000_000]) {
        options.onProgress?.({
          stage: 'download',
          file: 'x-Q4_K_M.gguf',
          downloadedBytes,
          totalBytes: 100_000_000,
          bytesPerSecond: 10_000_000,
        });
      }
      return '/x';
    };
    const atTerminal = await run(['pull', 'hf:a/b'], { resolveModel }, { isTerminal: true });
    expect(atTerminal.notes).toContain('Downloading x-Q4_K_M.gguf');
    expect(atTerminal.notes).toContain('100.0 MB of 100.0 MB · 10.0 MB/s · 0:00 left');
    expect((await run(['pull', 'hf:a/b'], { resolveModel })).notes).toBe('');
  });

  it('ends with 130 when it is interrupted', async () => {
    const context = createTestContext({
      library: {
        listCachedModels: async () => [],
        resolveModel: (_source, options) =>
          new Promise((_resolve, reject) => {
            options?.signal?.addEventListener('abort', () => reject(createError('ABORTED', 'Cancelled.')));
          }),
      },
    });
    const running = runCommandLine(['pull', 'hf:a/b'], context);
    await new Promise((resolve) => setTimeout(resolve, 5));
    context.interrupts.raise();
    expect(await running).toBe(130);
    context.interrupts.raise();
    expect(context.forcedExits).toBe(1);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Library } from '../../lib/cli/library.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { createError } from '../../lib/errors.js';
import { quantizationOf } from '../../lib/hub/quantization.js';
import type { CachedModel, MemoryFit, ModelFile } from '../../lib/index.js';
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

const fit: MemoryFit = {
  fits: true,
  place: 'host',
  gpuLayers: 0,
  contextSize: 4096,
  neededBytes: 3_000_000_000,
  availableBytes: 4_000_000_000,
  isFromHeader: true,
};

function modelFile(quantization: string, sizeBytes: number, memory = fit): ModelFile {
  const file = `模型-${quantization}.gguf`;
  const isDefault = quantization === 'Q4_K_M';
  const place = { source: `hf:a/b:${file}`, file, quantization, sizeBytes, partCount: 1 };
  return { ...place, isDefault, isDownloaded: isDefault, memory };
}

const available = { gpuBytes: 0, hostBytes: 4_000_000_000 };

describe('list of a repository', () => {
  const asked: unknown[] = [];
  const listModelFiles: Library['listModelFiles'] = async (repository, { signal: _, ...options } = {}) => {
    asked.push([repository, options]);
    const files = [
      modelFile('Q4_K_M', 2.5e9),
      modelFile('Q8_0', 5e9, { ...fit, fits: false, neededBytes: 6e9 }),
    ];
    return { repository: 'a/b', commit, available, files };
  };
  beforeEach(() => asked.splice(0));

  it('shows sizes, what fits, and what would be taken', async () => {
    const { output, notes } = await run(['list', 'hf:a/b'], { listModelFiles });
    expect(output.split('\n')).toEqual([
      'QUANTIZATION    SIZE   NEEDS  FITS',
      'Q4_K_M        2.5 GB  3.0 GB  memory  default, downloaded',
      'Q8_0          5.0 GB  6.0 GB  no',
      '',
    ]);
    expect(notes).toContain('NEEDS is with a context of 4096 tokens. Free: 4.0 GB of memory.');
  });

  it('passes memory and context on, and prints everything as JSON', async () => {
    const flags = ['--memory', '16GB', '--context-size', '8192', '--endpoint', 'https://mirror.test'];
    const { output } = await run(['list', 'hf:a/b', '--json', ...flags], { listModelFiles });
    expect(asked).toEqual([['hf:a/b', { memory: 16e9, contextSize: 8192, endpoint: 'https://mirror.test' }]]);
    expect(JSON.parse(output)).toMatchObject({ repository: 'a/b', files: [{ quantization: 'Q4_K_M' }, {}] });
    expect((await run(['list', 'hf:a/b', '--memory', 'much'], { listModelFiles })).exitCode).toBe(2);
  });
});

describe('recommend', () => {
  const candidates = [
    {
      ...modelFile('Q8_0', 5e9, { ...fit, fits: false, neededBytes: 6e9 }),
      verdict: 'does-not-fit',
      reason: '',
    },
    { ...modelFile('Q4_K_M', 2.5e9), verdict: 'chosen', reason: '' },
  ] as const;

  it('shows all that was considered, the reason, and what to type', async () => {
    const recommend: Library['recommend'] = async () => {
      const { source, file, sizeBytes, memory } = candidates[1];
      const choice = { source, file, sizeBytes, memory, contextSize: 12_288, gpuLayers: 20 };
      return { repository: 'a/b', available, choice, reason: 'Q4_K_M is the best.', candidates };
    };
    const { output, notes, exitCode } = await run(['recommend', 'hf:a/b'], { recommend });
    expect(exitCode).toBe(0);
    expect(output.split('\n')).toEqual([
      'QUANTIZATION    SIZE   NEEDS  VERDICT',
      'Q8_0          5.0 GB  6.0 GB  does not fit',
      'Q4_K_M        2.5 GB  3.0 GB  ✓ chosen',
      '',
      'Q4_K_M is the best.',
      '',
    ]);
    expect(notes).toBe('llama-native chat hf:a/b:模型-Q4_K_M.gguf --context-size 12288 --gpu-layers 20\n');
  });

  it('ends with 1 when nothing fits, with the reason', async () => {
    const recommend: Library['recommend'] = async () => {
      return { repository: 'a/b', available, reason: 'Nothing fits.', candidates: candidates.slice(0, 1) };
    };
    const { output, exitCode } = await run(['recommend', 'hf:a/b'], { recommend });
    expect(exitCode).toBe(1);
    expect(output).toContain('Nothing fits.');
    const asJson = await run(['recommend', 'hf:a/b', '--json'], { recommend });
    expect(asJson.exitCode).toBe(1);
    expect(JSON.parse(asJson.output)).toMatchObject({ reason: 'Nothing fits.' });
  });
});

describe('search', () => {
  const asked: unknown[] = [];
  const found = {
    source: 'hf:owner/Qwen3-8B-GGUF',
    repository: 'owner/Qwen3-8B-GGUF',
    downloads: 1_234_567,
    likes: 42,
    lastModified: new Date(Date.now() - 3 * 86_400_000),
    isGated: true,
    isPrivate: false,
  };
  const searchModels: Library['searchModels'] = async (query, { signal: _, ...options } = {}) => {
    asked.push([query, options]);
    return query.includes('nothing') ? [] : [found];
  };

  it('shows what was found', async () => {
    const { output } = await run(['search', 'qwen3', '8b', '--limit', '5', '--sort', 'likes'], {
      searchModels,
    });
    expect(asked).toEqual([['qwen3 8b', { limit: 5, sort: 'likes' }]]);
    expect(output.split('\n')).toEqual([
      'NAME                            DOWNLOADS  LIKES  MODIFIED',
      'hf:owner/Qwen3-8B-GGUF (gated)       1.2M     42  3 days ago',
      '',
    ]);
  });

  it('prints JSON, and says on stderr when there is nothing', async () => {
    const { output } = await run(['search', 'qwen3', '--json'], { searchModels });
    expect(JSON.parse(output)).toMatchObject([{ repository: 'owner/Qwen3-8B-GGUF', downloads: 1_234_567 }]);
    expect(await run(['search', 'nothing'], { searchModels })).toMatchObject({ exitCode: 0, output: '' });
    expect((await run(['search', 'x', '--sort', 'size'], { searchModels })).exitCode).toBe(2);
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
      { signal: _, onProgress: __, onWarning: ___, ...given } = {},
    ) => {
      asked.push([source, given]);
      return '/x';
    };
    await run(['pull', 'hf:a/b', '--update', '--endpoint', 'https://mirror.test'], { resolveModel });
    expect(asked).toEqual([['hf:a/b', { update: true, endpoint: 'https://mirror.test' }]]);
  });

  it('takes a revision, a token and a number of connections', async () => {
    const asked: unknown[] = [];
    const resolveModel: Library['resolveModel'] = async (source, options = {}) => {
      asked.push([source, options.token, options.connections]);
      return '/x';
    };
    const flags = ['--revision', 'v2', '--token', 'hf_x', '--connections', '8'];
    await run(['pull', 'hf:a/b:Q8_0', ...flags], { resolveModel });
    expect(asked).toEqual([['hf:a/b@v2:Q8_0', 'hf_x', 8]]);
    expect((await run(['pull', 'hf:a/b@main', ...flags], { resolveModel })).exitCode).toBe(2);
    expect((await run(['pull', 'hf:a/b', '--connections', '99'], { resolveModel })).exitCode).toBe(2);
  });

  it('fetches a whole checkpoint, and prints its folder', async () => {
    await writeFile(join(directory, 'config.json'), '{}');
    const asked: unknown[] = [];
    const downloadCheckpoint: Library['downloadCheckpoint'] = async (source) => {
      asked.push(source);
      return directory;
    };
    const { output } = await run(['pull', 'hf:a/b', '--checkpoint', '--json'], { downloadCheckpoint });
    expect(JSON.parse(output)).toEqual({ path: directory, sizeBytes: 2 });
    expect(asked).toEqual(['hf:a/b']);
    expect((await run(['pull', '--checkpoint'], { downloadCheckpoint })).exitCode).toBe(2);
  });

  it('warns of a model that will not fit the memory', async () => {
    const resolveModel: Library['resolveModel'] = async (_, options = {}) => {
      options.onWarning?.({ kind: 'memory', message: 'It needs 40 GB.', file: 'x.gguf', fit });
      return '/x';
    };
    expect((await run(['pull', 'hf:a/b'], { resolveModel })).notes).toBe('warning: It needs 40 GB.\n');
  });

  it('counts the files of a download of several', async () => {
    const resolveModel: Library['resolveModel'] = async (_, options = {}) => {
      options.onProgress?.({
        stage: 'download',
        file: '模型-00002-of-00003.gguf',
        downloadedBytes: 0,
        totalBytes: 100,
        bytesPerSecond: 0,
        overall: { fileCount: 3, completedFiles: 1, downloadedBytes: 100, totalBytes: 300 },
      });
      return '/x';
    };
    const { notes } = await run(['pull', 'hf:a/b'], { resolveModel }, { isTerminal: true });
    expect(notes).toContain('Downloading 模型-00002-of-00003.gguf (2 of 3, 300 B in all)');
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

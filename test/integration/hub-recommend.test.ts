import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type ListModelFilesOptions, listModelFilesWith } from '../../lib/hub/model-files.js';
import { type RecommendOptions, recommendWith } from '../../lib/hub/recommend.js';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import { searchModelsWith } from '../../lib/hub/search-models.js';
import type { ModelWarning } from '../../lib/hub/types.js';
import { filledTensor, tinyTensors, uint32, writeTinyModel } from '../helpers/gguf-files.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';

const trained = 16_384;

/** A model of one tensor that takes this size; what is beside it in the file is less than {@link slack}. */
async function modelOf(sizeBytes: number): Promise<Buffer> {
  const weights = filledTensor('blk.1.ffn_up.weight', [sizeBytes / 4], 'F32', sizeBytes);
  const path = await writeTinyModel({ 'llama.context_length': uint32(trained) }, [...tinyTensors, weights]);
  return readFile(path);
}

const slack = 10_000;
const sizes = { Q2_K: 100_000, Q4_K_M: 200_000, Q8_0: 400_000, F16: 800_000 };

async function prepare(shape: Record<string, number> = sizes) {
  const files: Record<string, Buffer> = { 'mmproj-F16.gguf': fakeModel(500), 'README.md': Buffer.from('x') };
  for (const [name, size] of Object.entries(shape)) files[`模型-${name}.gguf`] = await modelOf(size);
  files['big-Q6_K-00001-of-00002.gguf'] = fakeModel(200_000);
  files['big-Q6_K-00002-of-00002.gguf'] = fakeModel(100_000);
  const hub = await startHub({ 'maker/tiny-GGUF': { commit, files } });
  const cacheDirectory = await temporaryDirectory();
  const base = { cacheDirectory, endpoint: hub.url, offline: false };
  const list = (name = 'maker/tiny-GGUF', options: ListModelFilesOptions = {}) =>
    listModelFilesWith(name, { ...base, memory: 2 ** 40, ...options }, fastTuning);
  const recommend = (options: RecommendOptions) =>
    recommendWith('hf:maker/tiny-GGUF', { ...base, ...options }, fastTuning);
  return { hub, base, list, recommend };
}

/** What the smallest model takes beside its weights at a context. */
async function besideWeights(contextSize: number): Promise<number> {
  const { list } = await prepare({ Q2_K: 100_000 });
  const { files } = await list('maker/tiny-GGUF', { contextSize });
  return (files[0]?.memory.neededBytes ?? 0) - 100_000 + slack;
}

describe('the list of what a repository has', () => {
  it('names quantizations with sizes, parts summed, the smallest first', async () => {
    const { list } = await prepare();
    const { repository, commit: asked, files, trainedContextSize } = await list();
    expect({ repository, asked, trainedContextSize }).toEqual({
      repository: 'maker/tiny-GGUF',
      asked: commit,
      trainedContextSize: trained,
    });
    expect(
      files.map(({ quantization, sizeBytes, partCount }) => [
        quantization,
        Math.floor(sizeBytes / 1e5),
        partCount,
      ]),
    ).toEqual([
      ['Q2_K', 1, 1],
      ['Q4_K_M', 2, 1],
      ['Q6_K', 3, 2],
      ['Q8_0', 4, 1],
      ['F16', 8, 1],
    ]);
    expect(files.filter((file) => file.isDefault).map((file) => file.source)).toEqual([
      'hf:maker/tiny-GGUF:模型-Q4_K_M.gguf',
    ]);
  });

  it('downloads nothing but one header, and knows what is downloaded', async () => {
    const { hub, base, list } = await prepare();
    await list();
    expect(hub.downloads.length).toBe(1);
    await resolveModelWith('hf:maker/tiny-GGUF:Q8_0', base, fastTuning);
    const { files } = await list();
    expect(files.filter((file) => file.isDownloaded).map((file) => file.quantization)).toEqual(['Q8_0']);
  });

  it('tells what fits beside a context, on a graphics card first', async () => {
    const { list } = await prepare();
    const beside = await besideWeights(1024);
    const fitting = async (memory: NonNullable<ListModelFilesOptions['memory']>) => {
      const { files } = await list('hf:maker/tiny-GGUF', { memory, contextSize: 1024 });
      return files.flatMap((file) => (file.memory.fits ? [`${file.quantization} ${file.memory.place}`] : []));
    };
    expect(await fitting(beside + 200_000)).toEqual(['Q2_K host', 'Q4_K_M host']);
    expect(await fitting(beside)).toEqual([]);
    const mixed = await fitting({ gpuBytes: beside + 200_000, hostBytes: beside + 500_000 });
    expect(mixed[0]).toBe('Q2_K gpu');
    expect(mixed).toContain('Q4_K_M gpu');
    expect(mixed.some((text) => /^Q8_0 (both|host)$/.test(text))).toBe(true);
  });

  it('of one quantization, or of a revision, has that alone', async () => {
    const { list } = await prepare();
    expect((await list('hf:maker/tiny-GGUF:Q8_0')).files.map((file) => file.quantization)).toEqual(['Q8_0']);
    const { files } = await list(`hf:maker/tiny-GGUF@${commit}`);
    expect(files[0]?.source).toBe(`hf:maker/tiny-GGUF@${commit}:模型-Q2_K.gguf`);
  });

  it('goes by sizes where no header can be read', async () => {
    const { hub, list } = await prepare();
    hub.misbehaviour.failures = [{ status: 403 }];
    const { files } = await list();
    expect(files[0]?.memory).toMatchObject({
      isFromHeader: false,
      fits: true,
      neededBytes: expect.any(Number),
    });
  });

  it('measures this machine when no memory is given', async () => {
    const { hub, base } = await prepare();
    const { available } = await listModelFilesWith(
      'maker/tiny-GGUF',
      { ...base, endpoint: hub.url },
      fastTuning,
    );
    expect(available.hostBytes).toBeGreaterThan(0);
  });

  it('is refused for what is no repository, is not there, or has no models', async () => {
    const { hub, list } = await prepare();
    await errorOf(list('./model.gguf'), 'SOURCE_INVALID');
    await errorOf(list('maker/nothing'), 'REPOSITORY_NOT_FOUND');
    await errorOf(list('maker/tiny-GGUF', { memory: -1 }), 'INVALID_ARGUMENT');
    await errorOf(list('maker/tiny-GGUF', { contextsize: 1 } as ListModelFilesOptions), 'INVALID_ARGUMENT');
    hub.repositories['maker/none'] = { commit, files: { 'README.md': Buffer.from('x') } };
    await errorOf(list('maker/none'), 'FILE_NOT_IN_REPOSITORY');
  });
});

describe('a recommendation', () => {
  it('is the best quantization that fits with 8192 tokens, then the largest context', async () => {
    const { recommend } = await prepare();
    const least = await besideWeights(8192);
    const { choice, candidates, reason } = await recommend({ memory: least + 400_000 });
    expect(choice).toMatchObject({ quantization: 'Q8_0', contextSize: 8192, gpuLayers: 0 });
    expect(candidates.map(({ quantization, verdict }) => [quantization, verdict])).toEqual([
      ['Q8_0', 'chosen'],
      ['Q6_K', 'lower-quality'],
      ['Q4_K_M', 'lower-quality'],
      ['Q2_K', 'lower-quality'],
      ['F16', 'does-not-fit'],
    ]);
    expect(reason).toContain('Q8_0 is the best of 5 that fits in memory');
    const more = await recommend({ memory: (await besideWeights(12_288)) + 400_000 });
    expect(more.choice).toMatchObject({ quantization: 'Q8_0' });
    expect(more.choice?.contextSize).toBe(12_288);
    expect(more.choice?.memory.neededBytes).toBeLessThanOrEqual(more.available.hostBytes);
  });

  it('is all that the model was trained for where memory abounds, and never full precision for nothing', async () => {
    const { recommend } = await prepare();
    const { choice, candidates, reason } = await recommend({ memory: 2 ** 40 });
    expect(choice).toMatchObject({ quantization: 'Q8_0', contextSize: trained });
    expect(candidates.at(-1)).toMatchObject({ quantization: 'F16', verdict: 'no-gain' });
    expect(reason).toContain('all that the model was trained for');
  });

  it('keeps to the graphics card where something fits it', async () => {
    const { recommend } = await prepare();
    const gpuBytes = (await besideWeights(8192)) + 200_000;
    const { choice, candidates } = await recommend({ memory: { gpuBytes, hostBytes: 2 ** 40 } });
    expect(choice).toMatchObject({ quantization: 'Q4_K_M', gpuLayers: 'max', memory: { place: 'gpu' } });
    expect(candidates[0]).toMatchObject({ quantization: 'Q8_0', verdict: 'does-not-fit' });
    const none = await recommend({ memory: { gpuBytes: 1000, hostBytes: 2 ** 40 } });
    expect(none.choice).toMatchObject({ quantization: 'Q8_0', gpuLayers: 0, memory: { place: 'host' } });
  });

  it('is none, with the reason, when nothing fits', async () => {
    const { recommend } = await prepare();
    const { choice, reason, candidates } = await recommend({ memory: 1000 });
    expect(choice).toBeUndefined();
    expect(reason).toContain('Nothing fits: even Q2_K needs');
    expect(candidates.every(({ verdict }) => verdict === 'does-not-fit')).toBe(true);
  });

  it('needs only as much context as was asked for', async () => {
    const { recommend } = await prepare();
    const memory = (await besideWeights(512)) + 400_000;
    expect((await recommend({ memory, contextSize: 512 })).choice?.quantization).toBe('Q8_0');
    expect((await recommend({ memory })).choice?.quantization).not.toBe('Q8_0');
  });
});

describe('a model that will not fit', () => {
  it('is told of before it is downloaded, and downloaded all the same', async () => {
    const { hub, base } = await prepare();
    // Terabytes of cache: no machine has them.
    const header = await readFile(
      await writeTinyModel({
        'llama.context_length': uint32(4096),
        'llama.attention.key_length': uint32(2 ** 30),
      }),
    );
    hub.repositories['maker/huge'] = { commit, files: { 'huge-Q4_K_M.gguf': header } };
    const warnings: ModelWarning[] = [];
    const onWarning = (warning: ModelWarning) => {
      warnings.push(warning);
      expect(hub.downloads.length).toBe(1);
    };
    await resolveModelWith('hf:maker/huge', { ...base, onWarning }, fastTuning);
    expect(warnings).toMatchObject([{ kind: 'memory', file: 'huge-Q4_K_M.gguf', fit: { fits: false } }]);
    expect(warnings[0]?.message).toContain('llama-native recommend hf:maker/huge');
    warnings.length = 0;
    await resolveModelWith('hf:maker/tiny-GGUF:Q2_K', { ...base, onWarning }, fastTuning);
    expect(warnings).toEqual([]);
  });
});

describe('a search', () => {
  async function prepareSearch() {
    const names = [
      'maker/Qwen3-8B-GGUF',
      'maker/qwen3-1B-GGUF',
      'other/Qwen3-GGUF',
      'other/Qwen3',
      'other/Llama',
    ];
    const repositories = Object.fromEntries(
      names.map((name, index) => [
        name,
        {
          commit,
          files: {},
          downloads: 100 - index,
          tags: name.endsWith('GGUF') ? ['gguf'] : ['safetensors'],
        },
      ]),
    );
    const hub = await startHub(repositories);
    const search = (query: string, options = {}) =>
      searchModelsWith(query, { endpoint: hub.url, ...options }, fastTuning);
    return { hub, search };
  }

  it('finds repositories with GGUF files by parts of their names, over several pages', async () => {
    const { hub, search } = await prepareSearch();
    const found = await search('qwen3');
    expect(found.map((model) => model.repository)).toEqual([
      'maker/Qwen3-8B-GGUF',
      'maker/qwen3-1B-GGUF',
      'other/Qwen3-GGUF',
    ]);
    expect(found[0]).toEqual({
      source: 'hf:maker/Qwen3-8B-GGUF',
      repository: 'maker/Qwen3-8B-GGUF',
      downloads: 100,
      likes: 3,
      lastModified: new Date('2025-01-01'),
      isGated: false,
      isPrivate: false,
      task: 'text-generation',
    });
    expect(hub.requests.length).toBe(2);
    expect(hub.requests[0]?.path).toContain('sort=downloads');
  });

  it('is narrowed by author, filter and limit, and sends the token', async () => {
    const { hub, search } = await prepareSearch();
    const namesOf = async (options: object) =>
      (await search('qwen3', options)).map((model) => model.repository);
    expect(await namesOf({ author: 'other' })).toEqual(['other/Qwen3-GGUF']);
    expect(await namesOf({ author: 'other', filter: '' })).toEqual(['other/Qwen3-GGUF', 'other/Qwen3']);
    expect(await namesOf({ limit: 1, token: 'secret' })).toEqual(['maker/Qwen3-8B-GGUF']);
    expect(hub.requests.at(-1)?.authorization).toBe('Bearer secret');
  });

  it('is tried again, and ends in an error that says what to do', async () => {
    const { hub, search } = await prepareSearch();
    hub.misbehaviour.apiFailures = [{ status: 503 }];
    expect((await search('llama', { filter: '' })).length).toBe(1);
    hub.misbehaviour.apiFailures = [{ status: 401 }];
    await errorOf(search('x'), 'UNAUTHORIZED');
    const unknown = await errorOf(search('x', { endpoint: 'https://hub.invalid' }), 'DOWNLOAD_FAILED');
    expect(unknown.message).toContain('HF_ENDPOINT');
    await errorOf(search('x', { sort: 'size' }), 'INVALID_ARGUMENT');
    await errorOf(search('x', { limit: 0 }), 'INVALID_ARGUMENT');
    await errorOf(search('x', { signal: AbortSignal.abort() }), 'ABORTED');
    hub.files.page = { body: Buffer.from('<!DOCTYPE html>') };
    await errorOf(search('x', { endpoint: `${hub.url}/files/page?` }), 'DOWNLOAD_FAILED');
  });
});

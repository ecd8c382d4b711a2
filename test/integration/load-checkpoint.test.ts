import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type LoadModelOptions,
  type LoadProgress,
  listCachedModels,
  loadModel,
  readGgufHeader,
  removeCachedModel,
} from '../../lib/index.js';
import { writeQuantizedModel } from '../helpers/gptq-models.js';
import { commit, errorOf, startHub, temporaryDirectory } from '../helpers/hub-fixtures.js';

const layout = { bits: 4, groupSize: 32, symmetric: false, actOrder: false, format: 'gptq' } as const;
let parent: string;
let gptq: string;
let plain: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'checkpoint-检查-'));
  ({ folder: gptq, reference: plain } = await writeQuantizedModel(parent, 'Llama-2-7b-chat-hf', layout));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

async function load(source: string, options: LoadModelOptions) {
  const stages = new Set<LoadProgress['stage']>();
  const onProgress = ({ stage }: LoadProgress) => void stages.add(stage);
  await using model = await loadModel(source, { threads: 1, contextSize: 64, ...options, onProgress });
  const { text } = await model.generate('the', { maxTokens: 4, temperature: 0 }).result;
  return { path: model.path, text, stages: [...stages] };
}

const typeOf = async (path: string) =>
  (await readGgufHeader(path)).tensors.find(({ name }) => name === 'blk.0.ffn_up.weight')?.type;

describe('a folder with a checkpoint', () => {
  test('is converted once, and loaded from the cache afterwards', async () => {
    const cacheDirectory = await temporaryDirectory();
    const first = await load(gptq, { cacheDirectory });
    expect(first.stages).toEqual(['convert', 'load']);
    expect(await typeOf(first.path)).toBe('Q4_1');
    const second = await load(gptq, { cacheDirectory });
    expect(second).toEqual({ ...first, stages: ['load'] });
  });

  test('without GPTQ becomes Q8_0, or what is asked for', async () => {
    const cacheDirectory = await temporaryDirectory();
    const usual = await load(plain, { cacheDirectory });
    const half = await load(plain, { cacheDirectory, convert: { type: 'f16' } });
    expect(await typeOf(usual.path)).toBe('Q8_0');
    expect(await typeOf(half.path)).toBe('F16');
    expect(half.text).not.toBe('');
  });

  test('is converted anew when it changed, and the old file goes', async () => {
    const cacheDirectory = await temporaryDirectory();
    const folder = join(await temporaryDirectory(), 'model');
    await cp(gptq, folder, { recursive: true });
    const first = await load(folder, { cacheDirectory });
    const later = new Date(Date.now() + 5000);
    const [shard = ''] = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
    await utimes(join(folder, shard), later, later);
    const second = await load(folder, { cacheDirectory });
    expect(second.stages).toContain('convert');
    expect(second.path).not.toBe(first.path);
    const listed = await listCachedModels({ cacheDirectory });
    expect(listed.map(({ path }) => path)).toEqual([second.path]);
  });

  test('that cannot be converted is a typed error, and nothing is left in the cache', async () => {
    const cacheDirectory = await temporaryDirectory();
    const folder = join(await temporaryDirectory(), 'model');
    await cp(gptq, folder, { recursive: true });
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    config.quantization_config = { quant_method: 'awq', bits: 4 };
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const error = await errorOf(load(folder, { cacheDirectory }), 'CHECKPOINT_UNSUPPORTED');
    expect(error.message).toMatch(/AWQ/);
    expect(await listCachedModels({ cacheDirectory })).toEqual([]);
  });

  test('can be cancelled while it is converted', async () => {
    const cacheDirectory = await temporaryDirectory();
    const controller = new AbortController();
    const call = loadModel(gptq, {
      cacheDirectory,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await errorOf(call, 'ABORTED');
    const names = await readdir(cacheDirectory, { recursive: true });
    expect(names.filter((name) => /\.(gguf|partial|lock)$/.test(name))).toEqual([]);
  });

  test('is converted by one of two processes that want it at the same time', async () => {
    const cacheDirectory = await temporaryDirectory();
    const script = `
      import { loadModel } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      let converted = 0;
      const model = await loadModel(${JSON.stringify(plain)}, {
        cacheDirectory: ${JSON.stringify(cacheDirectory)}, threads: 1, contextSize: 64,
        onProgress: ({ stage }) => { if (stage === 'convert') converted = 1; },
      });
      await model.close();
      console.log(converted);`;
    const run = () =>
      new Promise<string>((resolve, reject) => {
        const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
        let text = '';
        child.stdout.on('data', (piece) => {
          text += piece;
        });
        child.stderr.on('data', (piece) => {
          text += piece;
        });
        child.on('error', reject).on('close', () => resolve(text.trim()));
      });
    expect((await Promise.all([run(), run()])).sort()).toEqual(['0', '1']);
  });

  test.each([
    [{ convert: { typ: 'f16' } }],
    [{ convert: { type: 'q2_k' } }],
    [{ convert: { requantize: 'q3_k' } }],
  ])('refuses the options %j', async (options) => {
    await errorOf(loadModel(gptq, options as unknown as LoadModelOptions), 'INVALID_ARGUMENT');
  });
});

describe('a repository with safetensors', () => {
  async function prepare() {
    const files: Record<string, Buffer> = {};
    for (const name of await readdir(gptq)) files[name] = await readFile(join(gptq, name));
    const plainFiles = Object.keys(files).filter((name) => !name.endsWith('.safetensors'));
    const hub = await startHub({ 'maker/tiny-GPTQ': { commit, files, plainFiles } });
    return { hub, cacheDirectory: await temporaryDirectory() };
  }

  test('is downloaded, converted and loaded, and needs no network afterwards', async () => {
    const { hub, cacheDirectory } = await prepare();
    const options = { cacheDirectory, endpoint: hub.url };
    const first = await load('hf:maker/tiny-GPTQ', options);
    expect(first.stages).toEqual(['download', 'convert', 'load']);
    expect(first.path).toMatch(/tiny-GPTQ.*\.gguf$/);
    const header = await readGgufHeader(first.path);
    expect(header.metadata.get('general.name')?.value).toBe('Tiny GPTQ');
    const requests = hub.requests.length;
    const second = await load('hf:maker/tiny-GPTQ', options);
    expect(second).toEqual({ ...first, stages: ['load'] });
    expect(hub.requests.length).toBe(requests);
  });

  test('is listed by its name, and removed by it', async () => {
    const { hub, cacheDirectory } = await prepare();
    const { path } = await load('hf:maker/tiny-GPTQ', { cacheDirectory, endpoint: hub.url });
    const [listed, ...others] = await listCachedModels({ cacheDirectory });
    expect(others).toEqual([]);
    expect(listed).toMatchObject({
      repository: 'maker/tiny-GPTQ',
      revision: commit,
      path,
      source: `hf:maker/tiny-GPTQ@${commit}`,
    });
    expect(await removeCachedModel('hf:maker/tiny-GPTQ', { cacheDirectory })).toBe(listed?.sizeBytes);
    expect(await listCachedModels({ cacheDirectory })).toEqual([]);
    // The files of the checkpoint are still there.
    const again = await load('hf:maker/tiny-GPTQ', { cacheDirectory, endpoint: hub.url });
    expect(again.stages).toEqual(['convert', 'load']);
  });

  test('without any weights fails as it did before', async () => {
    const hub = await startHub({ 'maker/empty': { commit, files: { 'README.md': Buffer.from('# empty') } } });
    const options = { cacheDirectory: await temporaryDirectory(), endpoint: hub.url };
    const error = await errorOf(loadModel('hf:maker/empty', options), 'FILE_NOT_IN_REPOSITORY');
    expect(error.message).toMatch(/no GGUF files/);
  });
});

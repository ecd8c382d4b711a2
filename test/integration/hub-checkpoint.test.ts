import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { downloadCheckpointWith } from '../../lib/hub/checkpoint.js';
import type { ResolveModelOptions } from '../../lib/hub/types.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  hashOf,
  sha256,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';

const source = 'hf:maker/checkpoint';
const text = (value: unknown) => Buffer.from(JSON.stringify(value));

const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const index = text({ weight_map: { 'a.weight': shards[0], 'b.weight': shards[1], 'c.weight': shards[0] } });
const wanted: Record<string, Buffer> = {
  'config.json': text({ model_type: 'llama' }),
  'generation_config.json': text({}),
  'tokenizer.json': text({ version: '1.0' }),
  'tokenizer_config.json': text({}),
  'chat_template.jinja': Buffer.from('{{ messages }}'),
  'additional_chat_templates/rag.jinja': Buffer.from('{{ documents }}'),
  '1_Pooling/config.json': text({ pooling_mode_mean_tokens: true }),
  [shards[0] ?? '']: fakeModel(5_000, 'one'),
  [shards[1] ?? '']: fakeModel(4_000, 'two'),
  'model.safetensors.index.json': index,
};
const unwanted: Record<string, Buffer> = {
  'README.md': Buffer.from('# 模型'),
  'pytorch_model.bin': fakeModel(3_000, 'bin'),
  'original/consolidated.00.pth': fakeModel(3_000, 'pth'),
  'consolidated.safetensors': fakeModel(3_000, 'consolidated'),
  'onnx/model.onnx': fakeModel(3_000, 'onnx'),
  'model-Q4_K_M.gguf': fakeModel(3_000, 'gguf'),
};

async function prepare(files: Record<string, Buffer> = { ...unwanted, ...wanted }) {
  const plainFiles = Object.keys(files).filter((name) => /\.(json|md|jinja)$/.test(name));
  const hub = await startHub({ 'maker/checkpoint': { commit, files, plainFiles } });
  const cacheDirectory = await temporaryDirectory();
  const download = (options: ResolveModelOptions = {}, name = source) =>
    downloadCheckpointWith(
      name,
      { cacheDirectory, endpoint: hub.url, offline: false, ...options },
      fastTuning,
    );
  return { hub, cacheDirectory, download };
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

describe('the checkpoint of a repository', () => {
  it('comes with all that a conversion reads, and nothing else', async () => {
    const { download } = await prepare();
    const folder = await download();
    expect(await namesIn(folder)).toEqual(Object.keys(wanted).sort());
    for (const [name, bytes] of Object.entries(wanted)) {
      expect(await hashOf(join(folder, name))).toBe(sha256(bytes));
    }
  });

  it('is found in the cache without a request, and offline', async () => {
    const { hub, download } = await prepare();
    const folder = await download();
    hub.requests.length = 0;
    expect(await download()).toBe(folder);
    expect(await download({ offline: true })).toBe(folder);
    expect(hub.requests).toEqual([]);
  });

  it('is completed when a file of it is gone', async () => {
    const { hub, download } = await prepare();
    const folder = await download();
    const lost = join(folder, 'tokenizer.json');
    await rm(lost);
    hub.requests.length = 0;
    expect(await download()).toBe(folder);
    expect(await readFile(lost)).toEqual(wanted['tokenizer.json']);
    expect(hub.downloads).toEqual([]);
  });

  it('that another tool put into the cache is used offline, and asked about otherwise', async () => {
    const { hub, cacheDirectory, download } = await prepare();
    const repository = join(cacheDirectory, 'models--maker--checkpoint');
    const folder = join(repository, 'snapshots', commit);
    for (const name of ['config.json', 'model.safetensors.index.json', ...shards]) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), wanted[name] ?? '');
    }
    await mkdir(join(repository, 'refs'));
    await writeFile(join(repository, 'refs', 'main'), commit);
    expect(await download({ offline: true })).toBe(folder);
    expect(hub.requests).toEqual([]);
    expect(await download()).toBe(folder);
    expect(await readFile(join(folder, 'tokenizer.json'))).toEqual(wanted['tokenizer.json']);
    expect(hub.downloads).toEqual([]);
  });

  it.each([
    ['one file of the usual name', ['model.safetensors', 'other.safetensors'], ['model.safetensors']],
    ['one file of another name', ['gptq_model-4bit-128g.safetensors'], ['gptq_model-4bit-128g.safetensors']],
    ["its maker's layout when there is no other", ['consolidated.safetensors'], ['consolidated.safetensors']],
  ])('without an index has %s as its weights', async (_, files, expected) => {
    const bytes = Object.fromEntries(files.map((name) => [name, fakeModel(900, name)]));
    const { download } = await prepare({ 'config.json': text({}), ...bytes });
    expect(await namesIn(await download())).toEqual(['config.json', ...expected]);
  });

  it.each([
    ['GGUF files', { 'a-Q4_K_M.gguf': fakeModel(100) }, 'load hf:maker/checkpoint itself'],
    ['Python pickles', { 'pytorch_model.bin': fakeModel(100) }, 'pickles'],
    ['nothing of use', { 'README.md': Buffer.from('x') }, 'README.md'],
  ])('of %s only is refused with FILE_NOT_IN_REPOSITORY', async (_, files, part) => {
    const { download } = await prepare(files as unknown as Record<string, Buffer>);
    expect((await errorOf(download(), 'FILE_NOT_IN_REPOSITORY')).message).toContain(part);
  });

  it('whose index leads out of the folder or is no JSON is refused with CHECKPOINT_INVALID', async () => {
    for (const bad of [text({ weight_map: { a: '../../evil.safetensors' } }), Buffer.from('<html>')]) {
      const { download } = await prepare({ 'config.json': text({}), 'model.safetensors.index.json': bad });
      await errorOf(download(), 'CHECKPOINT_INVALID');
    }
  });

  it('whose index names a file that is not there is refused before weights are fetched', async () => {
    const { hub, download } = await prepare({
      'config.json': text({}),
      'model.safetensors.index.json': index,
      [shards[0] ?? '']: fakeModel(900),
    });
    expect((await errorOf(download(), 'FILE_NOT_IN_REPOSITORY')).message).toContain(shards[1]);
    expect(hub.downloads).toEqual([]);
  });

  it('is a whole repository, and nothing else', async () => {
    const { download } = await prepare();
    for (const name of ['hf:maker/checkpoint:Q4_K_M', './folder', 'https://example.com/x.gguf']) {
      await errorOf(download({}, name), 'SOURCE_INVALID');
    }
    await errorOf(download({}, 'hf:maker/nothing'), 'REPOSITORY_NOT_FOUND');
  });
});

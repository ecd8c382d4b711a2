import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mergeGguf, type SplitGgufOptions, splitGguf } from '../../lib/gguf/index.js';
import { loadModel } from '../../lib/model/load-model.js';
import { filledTensor, temporaryFile, writeTinyModel } from '../helpers/gguf-files.js';
import { writeReducedModel } from '../helpers/gguf-seeds.js';
import { hashOf } from '../helpers/hub-fixtures.js';
import { runGgufSplit } from '../helpers/llama-tools.js';
import { testModelPath } from '../helpers/model.js';

/** Two empty folders: for us and for the reference. */
async function folders(): Promise<{ ours: string; theirs: string }> {
  const root = dirname(await temporaryFile());
  const [ours, theirs] = [join(root, '我们'), join(root, 'theirs')];
  await Promise.all([mkdir(ours), mkdir(theirs)]);
  return { ours, theirs };
}

async function hashesIn(folder: string): Promise<[string, string][]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(
    names.map(async (name): Promise<[string, string]> => [name, await hashOf(join(folder, name))]),
  );
}

const splits: readonly [SplitGgufOptions, string[]][] = [
  [{ maxTensors: 10 }, ['--split-max-tensors', '10']],
  [{ maxBytes: 3_000_000 }, ['--split-max-size', '3M']],
  [{ maxTensors: 20, metadataFirst: true }, ['--split-max-tensors', '20', '--no-tensor-first-split']],
];

/** The first layers of the test model. */
async function smallModel(): Promise<string> {
  const folder = dirname(await temporaryFile());
  return writeReducedModel(await testModelPath(), folder, { tokens: 2000, layers: 4 });
}

describe('splitting and merging', () => {
  it.each(splits)('makes of a model with %o what llama-gguf-split makes', async (options, reference) => {
    const model = await smallModel();
    const { ours, theirs } = await folders();
    const [first = ''] = await splitGguf(model, join(ours, 'part'), options);
    await runGgufSplit(...reference, model, join(theirs, 'part'));
    expect(await hashesIn(ours)).toEqual(await hashesIn(theirs));
    expect((await readdir(ours)).length).toBeGreaterThan(2);

    const merged = join(ours, 'merged.gguf');
    await mergeGguf(first, merged);
    await runGgufSplit('--merge', first, join(theirs, 'merged.gguf'));
    expect(await hashOf(merged)).toBe(await hashOf(join(theirs, 'merged.gguf')));
  });

  it('makes the same of a merged model and of tensors whose sizes are no multiple of 32', async () => {
    const sizes = [5, 8, 9, 1, 700, ...new Array<number>(130).fill(3)];
    const tensors = sizes.map((size, index) => filledTensor(`t${index}`, [size], 'F32', 4 * size));
    const small = await writeTinyModel({}, tensors);
    const { ours, theirs } = await folders();
    const [first = ''] = await splitGguf(small, join(ours, 'a.gguf'));
    const again = await temporaryFile();
    await mergeGguf(first, again);
    await splitGguf(again, join(ours, 'b'), { maxTensors: 40 });
    await runGgufSplit(small, join(theirs, 'a'));
    await runGgufSplit('--split-max-tensors', '40', again, join(theirs, 'b'));
    expect(await hashesIn(ours)).toEqual(await hashesIn(theirs));
  });

  it('loads in llama.cpp afterwards, and answers as the whole model', async () => {
    const model = await smallModel();
    const { ours } = await folders();
    const [first = ''] = await splitGguf(model, join(ours, 'part'), { maxTensors: 15 });
    const merged = join(ours, 'merged.gguf');
    await mergeGguf(first, merged);
    const answers: string[] = [];
    for (const path of [model, first, merged]) {
      const loaded = await loadModel(path, { contextSize: 256 });
      const { text } = await loaded.generate('The capital of France is', { maxTokens: 8, temperature: 0 })
        .result;
      answers.push(text);
      await loaded.close();
    }
    expect(new Set(answers).size).toBe(1);
  });
});

import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  getDevices,
  getSystemInfo,
  type LoadModelOptions,
  type LoadProgress,
  loadModel,
} from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

let path: string;
let directory: string;

beforeAll(async () => {
  path = await testModelPath();
  directory = await mkdtemp(join(tmpdir(), 'llama-native-load-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe('loading', () => {
  it('tells what the file says of itself', async () => {
    const model = await loadModel(path, { vocabOnly: true });
    expect(model.metadata).toMatchObject({
      architecture: 'llama',
      trainedContextSize: 8192,
      vocabularySize: 49152,
      specialTokens: { beginOfSequence: 1, endOfSequence: 2 },
    });
    expect(model.metadata.chatTemplate).toContain('<|im_start|>');
    expect(Object.keys(model.metadata.keys).length).toBeGreaterThan(20);
    expect(model.path).toBe(path);
    await model.close();
  });

  it('reports its progress up to the end, while other code runs', async () => {
    const seen: LoadProgress[] = [];
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const model = await loadModel(path, { onProgress: (progress) => seen.push(progress), memoryMap: false });
    clearInterval(timer);
    await model.close();
    const fractions = seen.map((progress) => (progress.stage === 'load' ? progress.fraction : Number.NaN));
    expect(fractions.length).toBeGreaterThan(5);
    expect(fractions.at(-1)).toBe(1);
    expect([...fractions].sort((a, b) => a - b)).toEqual(fractions);
    expect(ticks).toBeGreaterThan(1);
  });

  it('is cancelled by its signal, before and on the way', async () => {
    await expect(loadModel(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    const controller = new AbortController();
    const loading = loadModel(path, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(loading).rejects.toMatchObject({ name: 'AbortError', code: 'ABORTED' });
  });

  it('ends with the error that its progress listener throws', async () => {
    const mine = new Error('the disk of my log is full');
    const onProgress = () => {
      throw mine;
    };
    await expect(loadModel(path, { onProgress, memoryMap: false })).rejects.toBe(mine);
  });

  it('is cancelled by a signal that fires while the file is looked at', async () => {
    const controller = new AbortController();
    const loading = loadModel(path, { signal: controller.signal });
    setTimeout(() => controller.abort(), 3);
    await expect(loading).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('with vocabOnly tokenizes and refuses to generate', async () => {
    await using model = await loadModel(path, { vocabOnly: true });
    const tokens = await model.tokenize('Hello 你好 😀');
    expect(await model.detokenize(tokens)).toBe('Hello 你好 😀');
    expect(() => model.generate('x')).toThrow(expect.objectContaining({ code: 'NO_WEIGHTS' }));
    await expect(model.createContext()).rejects.toMatchObject({ code: 'NO_WEIGHTS' });
    await expect(model.createSampler()).rejects.toMatchObject({ code: 'NO_WEIGHTS' });
  });

  it('in this process tokenizes also at once', async () => {
    await using model = await loadModel(path, { vocabOnly: true, isolate: false });
    expect(model.tokenizeSync('Hello 你好 😀')).toEqual(await model.tokenize('Hello 你好 😀'));
  });

  it('tokenizes and detokenizes many texts in one call, in order', async () => {
    await using model = await loadModel(path, { vocabOnly: true });
    const texts = ['one', '', '二三', 'four five'];
    const lists = await model.tokenize(texts);
    expect(lists).toHaveLength(4);
    expect(await model.detokenize(lists)).toEqual(texts);
    expect(await model.detokenize([])).toBe('');
  });

  it('reads control tokens in a text only when told to', async () => {
    await using model = await loadModel(path, { vocabOnly: true });
    const [plain, parsed] = await Promise.all([
      model.tokenize('<|im_start|>', { parseSpecial: false }),
      model.tokenize('<|im_start|>', { parseSpecial: true }),
    ]);
    expect(parsed).toHaveLength(1);
    expect(plain.length).toBeGreaterThan(1);
    expect(await model.detokenize(parsed)).toBe('');
    expect(await model.detokenize(parsed, { renderSpecial: true })).toBe('<|im_start|>');
  });

  it('of two models at once gives two independent models', async () => {
    const [first, second] = await Promise.all([
      loadModel(path, { contextSize: 256, threads: 1 }),
      loadModel(path, { contextSize: 512, threads: 1 }),
    ]);
    const results = await Promise.all([
      first.generate('Hello', { temperature: 0, maxTokens: 5 }).result,
      second.generate('Hello', { temperature: 0, maxTokens: 5 }).result,
    ]);
    expect(results[0].text).toBe(results[1].text);
    await first.close();
    expect((await second.generate('Hello', { temperature: 0, maxTokens: 5 }).result).tokens).toHaveLength(5);
    await second.close();
  });
});

describe('closing', () => {
  it('ends what runs with a ClosedError, may be repeated, and refuses later calls', async () => {
    const model = await loadModel(path, { contextSize: 512, threads: 1 });
    const context = await model.createContext();
    const generation = model.generate('Once', { maxTokens: 400 });
    const queued = model.generate('Twice', { maxTokens: 400 });
    const tokenizing = model.tokenize('a text in flight');
    await Promise.all([model.close(), model.close()]);
    await expect(generation.result).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(queued.result).rejects.toMatchObject({ code: 'CLOSED' });
    expect((await tokenizing).length).toBeGreaterThan(0);
    expect(() => model.generate('x')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    await expect(model.tokenize('x')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(context.eval([1])).rejects.toMatchObject({ code: 'CLOSED' });
    await model.close();
  });

  it('also closes a context that is just being made', async () => {
    const model = await loadModel(path, { contextSize: 256, threads: 1 });
    const creating = expect(model.createContext()).rejects.toMatchObject({ code: 'CLOSED' });
    await model.close();
    await creating;
  });

  it('gives the memory back: 20 rounds leave the process no larger', async () => {
    const round = async () => {
      const model = await loadModel(path, { contextSize: 512, threads: 1, memoryMap: false });
      await model.generate('Hi', { maxTokens: 2 }).result;
      await model.close();
    };
    for (let i = 0; i < 4; i++) await round();
    const sizes: number[] = [];
    for (let i = 0; i < 20; i++) {
      await round();
      sizes.push(process.memoryUsage().rss / 1e6);
    }
    const smallest = (list: readonly number[]) => Math.min(...list);
    // One leaked model would be 98 MB, one leaked context about 15 MB, in each round.
    expect(smallest(sizes.slice(-5)) - smallest(sizes.slice(0, 5))).toBeLessThan(40);
  }, 180_000);
});

describe('files that are no model', () => {
  async function file(name: string, content: string | Uint8Array): Promise<string> {
    const target = join(directory, name);
    await writeFile(target, content);
    return target;
  }

  async function truncatedModel(bytes: number): Promise<string> {
    const target = join(directory, `truncated-${bytes}.gguf`);
    const source = await open(path);
    const { buffer } = await source.read(Buffer.alloc(4 << 20), 0, 4 << 20, 0);
    await source.close();
    await writeFile(target, buffer);
    await truncate(target, bytes);
    return target;
  }

  it.each([
    ['a missing file', async () => join(directory, 'nowhere.gguf'), 'MODEL_NOT_FOUND'],
    ['a directory', async () => directory, 'MODEL_NOT_FOUND'],
    ['an empty file', () => file('empty.gguf', ''), 'MODEL_INVALID'],
    ['a wrong magic number', () => file('magic.gguf', 'FUGG\u0003\0\0\0'.padEnd(100, '\0')), 'MODEL_INVALID'],
    ['a text file', () => file('notes.gguf', 'Dear diary, today I downloaded a model.'), 'MODEL_INVALID'],
    [
      'a web page',
      () => file('page.gguf', '<!doctype html><html><body>Sign in</body></html>'),
      'MODEL_INVALID',
    ],
    ['a file cut in its header', () => truncatedModel(5000), 'MODEL_INVALID'],
    ['a file cut in its tensors', () => truncatedModel(3 << 20), 'MODEL_INVALID'],
  ])('%s', async (_name, make, code) => {
    await expect(loadModel(await make())).rejects.toMatchObject({ code, name: 'ModelLoadError' });
  });

  it.each([
    ['an empty source', '', {}, 'INVALID_ARGUMENT'],
    ['a source that is no text', 5, {}, 'INVALID_ARGUMENT'],
    ['no threads', 'x', { threads: 0 }, 'INVALID_ARGUMENT'],
    ['absurdly many threads', 'x', { threads: 100_000 }, 'INVALID_ARGUMENT'],
    ['a context of NaN', 'x', { contextSize: Number.NaN }, 'INVALID_ARGUMENT'],
    ['a misspelt option', 'x', { contextsize: 5 }, 'INVALID_ARGUMENT'],
    ['too many sequences', 'x', { sequences: 1000 }, 'INVALID_ARGUMENT'],
  ])('%s', async (_name, source, options, code) => {
    await expect(loadModel(source as string, options as LoadModelOptions)).rejects.toMatchObject({ code });
  });

  it('a context beyond all memory names its size', async () => {
    await expect(loadModel(path, { contextSize: 2_000_000_000 })).rejects.toMatchObject({
      code: expect.stringMatching(/OUT_OF_MEMORY|CONTEXT_CREATE_FAILED/),
      message: expect.stringContaining('2000000000'),
    });
  });
});

describe('the system', () => {
  it('is described: devices with memory, version, processor features', async () => {
    const devices = await getDevices();
    expect(devices.some((device) => device.kind === 'cpu' && device.totalBytes > 0)).toBe(true);
    const info = await getSystemInfo();
    expect(info.llamaCppVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(info.addonPath).toMatch(/\.node$/);
    expect(info.cpuFeatures.length).toBeGreaterThan(0);
  });
});

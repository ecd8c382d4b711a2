import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type LoadModelOptions, loadModel, type Model, type PrefixCacheOptions } from '../../lib/index.js';
import { Random } from '../helpers/gguf-random.js';
import { expectSameAnswer } from '../helpers/greedy-equality.js';
import {
  writeGemmaModel,
  writeLfm2Model,
  writeLlamaModel,
  writeMambaModel,
} from '../helpers/state-models.js';

const greedy = { temperature: 0, ignoreEndOfSequence: true, maxTokens: 8 } as const;
/** Exact arithmetic, so that a prompt read in other parts gives the same tokens. */
const exact = { threads: 1, keyType: 'f32', valueType: 'f32', batchSize: 128, contextSize: 512 } as const;

/** Tokens that begin no other list. */
function someTokens(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => 1000 + ((index * 7919 + seed * 104_729) % 28_000));
}

const prompts = [1, 2, 3, 4].map((seed) => someTokens(250, seed));
const [firstPrompt = []] = prompts;

let path: string;
let alone: Model;
let base: string;
let directory: string;

beforeAll(async () => {
  path = await writeLlamaModel();
  alone = await loadModel(path, { ...exact, prefixCache: { memoryBytes: 0 } });
  base = await mkdtemp(join(tmpdir(), 'llama-native-prefixes-'));
});
afterAll(async () => {
  await alone.close();
  await rm(base, { recursive: true });
});
beforeEach(async () => {
  directory = await mkdtemp(join(base, 'cache-'));
});

function load(prefixCache: PrefixCacheOptions = {}, more: LoadModelOptions = {}): Promise<Model> {
  return loadModel(path, { ...exact, prefixCache, ...more });
}

async function generateAll(model: Model, list: readonly (readonly number[])[]) {
  const results = [];
  for (const prompt of list) results.push(await model.generate(prompt, greedy).result);
  return results;
}

/** What the model makes of a prompt that it has to read from its beginning. */
async function expected(prompt: readonly number[]): Promise<readonly number[]> {
  await alone.generate([1], greedy).result;
  return (await alone.generate(prompt, greedy).result).tokens;
}

async function entriesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.lnprefix'));
}

/** Leaves the first prompt, with its answer, as the only entry in the directory. */
async function writeOneEntry(): Promise<string> {
  const model = await load({ memoryBytes: 0, directory });
  await model.generate(firstPrompt, greedy).result;
  await model.close();
  const [name = ''] = await entriesOf(directory);
  return join(directory, name);
}

describe('a prefix that the KV cache gave up', () => {
  it('comes back from memory, in whole and in part', async () => {
    const model = await load();
    await generateAll(model, prompts);
    const [again] = await generateAll(model, [firstPrompt]);
    expect(again?.usage.cachedTokens).toBe(249);
    await expectSameAnswer(alone, firstPrompt, again?.tokens ?? [], await expected(firstPrompt));

    await generateAll(model, prompts.slice(1));
    const branch = [...firstPrompt.slice(0, 150), ...someTokens(30, 9)];
    const [other] = await generateAll(model, [branch]);
    expect(other?.usage.cachedTokens).toBe(150);
    await expectSameAnswer(alone, branch, other?.tokens ?? [], await expected(branch));
    const { prefixCache } = await model.metrics();
    expect(prefixCache).toMatchObject({ refused: 0, failures: 0, diskEntries: 0 });
    expect(prefixCache.restored).toBeGreaterThanOrEqual(2);
    expect(prefixCache.restoredTokens).toBeGreaterThanOrEqual(249 + 150);
    expect(prefixCache.saved).toBeGreaterThanOrEqual(3);
    await model.close();
  });

  it('is read again when nothing may be kept', async () => {
    const model = await load({ memoryBytes: 0 });
    await generateAll(model, prompts);
    const [again] = await generateAll(model, [firstPrompt]);
    expect(again?.usage.cachedTokens).toBe(0);
    expect((await model.metrics()).prefixCache).toMatchObject({ saved: 0, restored: 0, memoryBytes: 0 });
    await model.close();
  });

  it('takes no more memory than it may', async () => {
    const model = await load({ memoryBytes: 400_000 });
    await generateAll(model, [...prompts, ...[5, 6, 7, 8].map((seed) => someTokens(250, seed))]);
    const { prefixCache } = await model.metrics();
    expect(prefixCache.saved).toBeGreaterThan(4);
    expect(prefixCache.memoryEntries).toBeGreaterThan(0);
    expect(prefixCache.memoryBytes).toBeLessThanOrEqual(400_000);
    await model.close();
  });

  it('is saved while others run, who need its room', async () => {
    const model = await load({}, { sequences: 3 });
    await generateAll(model, [firstPrompt]);
    const others = [11, 12, 13].map((seed) =>
      model.generate(someTokens(150, seed), { ...greedy, maxTokens: 30 }),
    );
    await Promise.all(others.map(({ result }) => result));
    const { evictions, prefixCache } = await model.metrics();
    expect(evictions).toBeGreaterThan(0);
    expect(prefixCache.saved).toBeGreaterThan(0);
    const [again] = await generateAll(model, [firstPrompt]);
    expect(again?.usage.cachedTokens).toBe(249);
    await expectSameAnswer(alone, firstPrompt, again?.tokens ?? [], await expected(firstPrompt));
    await model.close();
  });
});

describe('a directory', () => {
  it('keeps prefixes for the next process', async () => {
    const model = await load({ directory });
    const before = await generateAll(model, prompts);
    await model.close();
    expect(await entriesOf(directory)).toHaveLength(4);

    const next = await load({ directory });
    expect((await next.metrics()).prefixCache).toMatchObject({ memoryEntries: 0, diskEntries: 4 });
    const after = await generateAll(next, prompts);
    expect(after.map(({ usage }) => usage.cachedTokens)).toEqual([249, 249, 249, 249]);
    for (const [index, prompt] of prompts.entries()) {
      await expectSameAnswer(alone, prompt, after[index]?.tokens ?? [], before[index]?.tokens ?? []);
    }
    await next.close();
  });

  it('is used without memory too', async () => {
    const model = await load({ memoryBytes: 0, directory });
    await generateAll(model, prompts);
    await expect.poll(async () => (await model.metrics()).prefixCache.diskEntries).toBeGreaterThan(0);
    const [again] = await generateAll(model, [firstPrompt]);
    expect(again?.usage.cachedTokens).toBe(249);
    expect((await model.metrics()).prefixCache.memoryBytes).toBe(0);
    await model.close();
  });

  it('stays within its bound', async () => {
    const size = (await stat(await writeOneEntry())).size;
    const diskBytes = Math.floor(size * 2.5);
    const model = await load({ memoryBytes: 0, directory, diskBytes });
    await generateAll(model, [...prompts, ...[5, 6, 7].map((seed) => someTokens(250, seed))]);
    await model.close();
    const sizes = await Promise.all(
      (await entriesOf(directory)).map(async (name) => (await stat(join(directory, name))).size),
    );
    expect(sizes).toHaveLength(2);
    expect(sizes.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(diskBytes);
  });

  it('serves only the model that wrote to it, however alike another one is', async () => {
    await writeOneEntry();
    const other = await loadModel(await writeLlamaModel(8), { ...exact, prefixCache: { directory } });
    const [result] = await generateAll(other, [firstPrompt]);
    expect(result?.usage.cachedTokens).toBe(0);
    expect((await other.metrics()).prefixCache).toMatchObject({ diskEntries: 0, refused: 0 });
    await other.close();
    expect(await entriesOf(directory)).toHaveLength(2);
  });

  it('serves only contexts with the same types of cache', async () => {
    await writeOneEntry();
    const model = await load({ directory }, { keyType: 'f16', valueType: 'f16' });
    const [result] = await generateAll(model, [firstPrompt]);
    expect(result?.usage.cachedTokens).toBe(0);
    await model.close();
  });

  it('is shared by two models at once', async () => {
    const models = await Promise.all([
      load({ memoryBytes: 0, directory }),
      load({ memoryBytes: 0, directory }),
    ]);
    await Promise.all(models.map((model) => generateAll(model, [...prompts, ...prompts])));
    await Promise.all(models.map((model) => model.close()));
    const names = await readdir(directory);
    expect(names.filter((name) => !name.endsWith('.lnprefix'))).toEqual([]);
    const next = await load({ directory });
    const results = await generateAll(next, prompts);
    for (const [index, prompt] of prompts.entries()) {
      expect(results[index]?.usage.cachedTokens).toBe(249);
      await expectSameAnswer(alone, prompt, results[index]?.tokens ?? [], await expected(prompt));
    }
    expect((await next.metrics()).prefixCache.refused).toBe(0);
    await next.close();
  });

  it('may lose its files while it is in use', async () => {
    await writeOneEntry();
    const model = await load({ memoryBytes: 0, directory });
    await rm(directory, { recursive: true });
    const results = await generateAll(model, prompts);
    for (const [index, prompt] of prompts.entries()) {
      await expectSameAnswer(alone, prompt, results[index]?.tokens ?? [], await expected(prompt));
    }
    const { prefixCache } = await model.metrics();
    expect(prefixCache).toMatchObject({ refused: 0, restored: 0 });
    expect(prefixCache.failures).toBeGreaterThan(0);
    await model.close();
  });

  it('may hold other files, which are left alone', async () => {
    const entry = await writeOneEntry();
    const whole = await readFile(entry);
    const otherVersion = Buffer.from(whole);
    otherVersion.writeUInt32LE(2, 8);
    const others = { 'notes.txt': 'hello', 'other.lnprefix': 'no entry', 'next.lnprefix': otherVersion };
    for (const [name, content] of Object.entries(others)) await writeFile(join(directory, name), content);
    await mkdir(join(directory, 'folder.lnprefix'));
    const model = await load({ directory, diskBytes: whole.length + 10 });
    const [result] = await generateAll(model, [firstPrompt]);
    expect(result?.usage.cachedTokens).toBe(249);
    await model.close();
    for (const name of Object.keys(others)) expect(await readdir(directory)).toContain(name);
  });

  it('is cleared of unfinished files that a process left behind long ago', async () => {
    const old = join(directory, 'abc.lnprefix.1234.incomplete');
    const young = join(directory, 'abc.lnprefix.5678.incomplete');
    for (const file of [old, young]) await writeFile(file, 'half');
    await utimes(old, new Date(0), new Date(0));
    await (await load({ directory })).close();
    expect(await readdir(directory)).toEqual(['abc.lnprefix.5678.incomplete']);
  });
});

describe('a damaged entry', () => {
  it('is refused for any flipped byte, and the prefix is read again', async () => {
    const entry = await writeOneEntry();
    const whole = await readFile(entry);
    const tokens = await expected(firstPrompt);
    const random = new Random(1);
    // Each byte of the header, and some of the tokens and of the state.
    const places = [
      ...Array.from({ length: 136 }, (_, at) => at),
      ...Array.from({ length: 100 }, () => random.below(whole.length)),
    ];
    let refused = 0;
    for (const at of places) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
      await rm(directory, { recursive: true });
      await mkdir(directory);
      await writeFile(entry, damaged);
      const model = await load({ directory });
      const result = await model.generate(firstPrompt, greedy).result;
      expect({ at, cached: result.usage.cachedTokens }).toEqual({ at, cached: 0 });
      await expectSameAnswer(alone, firstPrompt, result.tokens, tokens);
      const { prefixCache } = await model.metrics();
      expect(prefixCache.restored).toBe(0);
      refused += prefixCache.refused;
      await model.close();
    }
    // A changed magic or version makes it a file of someone else, which is not counted.
    expect(refused).toBe(places.filter((at) => at >= 12).length);
  }, 120_000);

  it('is refused when it is cut, or longer than it should be', async () => {
    const entry = await writeOneEntry();
    const whole = await readFile(entry);
    for (const content of [
      whole.subarray(0, -1),
      whole.subarray(0, 100),
      Buffer.concat([whole, Buffer.alloc(1)]),
    ]) {
      await writeFile(entry, content);
      const model = await load({ memoryBytes: 0, directory });
      const [result] = await generateAll(model, [firstPrompt]);
      expect(result?.usage.cachedTokens).toBe(0);
      expect((await model.metrics()).prefixCache.refused).toBe(1);
      await model.close();
      await rm(entry, { force: true });
    }
  });

  it('is refused when its tokens stand before the state of others', async () => {
    const first = await readFile(await writeOneEntry());
    await rm(directory, { recursive: true });
    const model = await load({ directory });
    await generateAll(model, [prompts[1] ?? []]);
    await model.close();
    const [name = ''] = await entriesOf(directory);
    const second = await readFile(join(directory, name));
    expect(second.length).toBe(first.length);
    const stateBegin = 88 + first.readUInt32LE(12) * 4;
    await writeFile(
      join(directory, name),
      Buffer.concat([second.subarray(0, stateBegin), first.subarray(stateBegin)]),
    );
    const next = await load({ directory });
    const [result] = await generateAll(next, [prompts[1] ?? []]);
    expect(result?.usage.cachedTokens).toBe(0);
    expect((await next.metrics()).prefixCache.refused).toBe(1);
    await next.close();
  });
});

describe('options', () => {
  it.each([
    [{ memoryBytes: -1 }, 'prefixCache.memoryBytes'],
    [{ memoryBytes: 1.5 }, 'prefixCache.memoryBytes'],
    [{ directory: '' }, 'prefixCache.directory'],
    [{ directory: 7 as never }, 'prefixCache.directory'],
    [{ diskBytes: 1e9 }, 'prefixCache.directory'],
    [{ directory: '/tmp', diskBytes: 0 }, 'prefixCache.diskBytes'],
    [{ size: 1 } as never, 'size'],
    ['yes' as never, 'prefixCache'],
  ])('%j are refused', async (prefixCache, name) => {
    await expect(load(prefixCache)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(load(prefixCache)).rejects.toThrow(name);
  });

  it('slidingWindow is one of two words', async () => {
    const options = { slidingWindow: 'half' as never };
    await expect(load({}, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('a window and guesses ahead do not go together', async () => {
    const both = load({}, { slidingWindow: 'window', speculative: {} });
    await expect(both).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(both).rejects.toThrow('speculative');
  });

  it('a directory that cannot be one is an error at once', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    const loading = load({ directory: join(file, 'below') });
    await expect(loading).rejects.toMatchObject({ code: 'FILE_ACCESS_FAILED' });
    await expect(loading).rejects.toThrow('prefixCache.directory');
  });
});

const memories: readonly { name: string; write: () => Promise<string>; options: LoadModelOptions }[] = [
  { name: 'all keys and values', write: writeLlamaModel, options: {} },
  { name: 'all keys and values, with a sliding window', write: writeGemmaModel, options: {} },
  { name: 'a window', write: writeGemmaModel, options: { slidingWindow: 'window' } },
  { name: 'a state', write: writeMambaModel, options: {} },
  { name: 'a state beside keys and values', write: writeLfm2Model, options: {} },
];

describe.each(memories)('a memory of $name', ({ write, options }) => {
  it('gives the texts of the model alone, whatever was cached, given up, stored and restored', async () => {
    const random = new Random(20_261_123);
    const file = await write();
    const settings = { ...exact, ...options };
    const plain = await loadModel(file, { ...settings, prefixCache: { memoryBytes: 0 } });
    const model = await loadModel(file, {
      ...settings,
      sequences: 3,
      prefixCache: { memoryBytes: 600_000, directory },
    });
    const families = [0, 1, 2].map((family) => someTokens(220, 60 + family));
    const results: { prompt: number[]; tokens: readonly number[] }[] = [];
    /** Some prompts share a beginning with others, some continue an earlier conversation. */
    const nextPrompt = () => {
      const earlier = random.below(3) === 0 ? results[random.below(results.length)] : undefined;
      const beginning =
        earlier !== undefined && earlier.prompt.length < 400
          ? [...earlier.prompt, ...earlier.tokens]
          : random.pick(families).slice(0, 40 + random.below(180));
      return [...beginning, ...someTokens(1 + random.below(80), 100 + random.below(20))];
    };
    const lane = async () => {
      for (let index = 0; index < 16; index++) {
        const prompt = nextPrompt();
        const { tokens } = await model.generate(prompt, greedy).result;
        results.push({ prompt, tokens });
      }
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    for (const { prompt, tokens } of results) {
      await plain.generate([1], { ...greedy, maxTokens: 1 }).result;
      await expectSameAnswer(plain, prompt, tokens, (await plain.generate(prompt, greedy).result).tokens);
    }
    const { prefixCache, cachedTokens } = await model.metrics();
    expect(prefixCache).toMatchObject({ refused: 0, failures: 0 });
    expect(prefixCache.restored).toBeGreaterThan(0);
    expect(cachedTokens).toBeGreaterThan(0);
    await Promise.all([plain.close(), model.close()]);
  });
});

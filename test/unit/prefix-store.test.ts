import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PrefixStore, type PrefixStoreOptions } from '../../lib/engine/prefix-store.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-store-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const fingerprint = Buffer.alloc(32, 1);

/** Tokens that begin no other list. */
function some(count: number, seed: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => seed * 1_000_000 + index);
}

function state(value: number, length = 1000): Uint8Array {
  return new Uint8Array(length).fill(value);
}

function open(options: Partial<PrefixStoreOptions> = {}, limitBytes?: number): Promise<PrefixStore> {
  const disk = limitBytes === undefined ? {} : { disk: { directory, limitBytes, fingerprint } };
  return PrefixStore.open({ memoryBytes: 1_000_000, canCut: true, ...disk, ...options });
}

describe('states that can be cut', () => {
  it('serve every prompt that begins with some of their tokens, but leave one to evaluate', async () => {
    const store = await open();
    const tokens = some(100, 1);
    store.put(tokens, state(1));
    expect(store.find(tokens, 0)).toMatchObject({ length: 99 });
    expect(store.find([...tokens, 7], 0)).toMatchObject({ length: 100 });
    expect(store.find([...tokens.slice(0, 80), 7, 8], 0)).toMatchObject({ length: 80 });
    expect(store.find([...tokens.slice(0, 80), 7, 8], 80)).toBeUndefined();
    expect(store.find(some(100, 2), 0)).toBeUndefined();
  });

  it('replace those they go beyond, and are not stored twice', async () => {
    const store = await open();
    const tokens = some(200, 1);
    store.put(tokens.slice(0, 100), state(1));
    store.put(tokens, state(2));
    expect(store.counts().memoryEntries).toBe(1);
    expect(store.wants(tokens.slice(0, 150))).toBe(false);
    store.put(tokens.slice(0, 150), state(3));
    expect(store.find(tokens, 0)?.prefix.state?.[0]).toBe(2);
  });
});

describe('states that cannot be cut', () => {
  it('serve only prompts that begin with all of their tokens, the longest first', async () => {
    const store = await open({ canCut: false });
    const tokens = some(200, 1);
    for (const length of [80, 120, 200]) store.put(tokens.slice(0, length), state(length));
    expect(store.counts().memoryEntries).toBe(3);
    expect(store.find([...tokens, 7], 0)).toMatchObject({ length: 200 });
    expect(store.find(tokens, 0)).toMatchObject({ length: 120 });
    expect(store.find([...tokens.slice(0, 119), 7], 0)).toMatchObject({ length: 80 });
    expect(store.find([...tokens.slice(0, 79), 7], 0)).toBeUndefined();
  });
});

it('prefixes of some tens of tokens are not stored', async () => {
  const store = await open();
  store.put(some(63, 1), state(1));
  expect(store.counts().memoryEntries).toBe(0);
});

describe('the disk below memory', () => {
  it('takes what memory gives up, and memory takes it back', async () => {
    const store = await open({ memoryBytes: 3000 }, 100_000);
    for (const seed of [1, 2, 3]) store.put(some(100, seed), state(seed));
    await expect.poll(() => store.counts().diskEntries).toBe(1);
    const match = store.find([...some(100, 1), 7], 0);
    expect(match?.prefix.state).toBeUndefined();
    expect(match && (await store.load(match.prefix))).toEqual(Buffer.from(state(1)));
    expect(store.find([...some(100, 1), 7], 0)?.prefix.state).toBeDefined();
    expect(store.counts().memoryBytes).toBeLessThanOrEqual(3000);
    await store.close();
    expect((await readdir(directory)).length).toBe(3);
  });

  it('gives up those unused longest, of whichever process', async () => {
    const first = await open({}, 4000);
    first.put(some(100, 1), state(1));
    await first.close();
    const [name = ''] = await readdir(directory);
    await utimes(join(directory, name), new Date(1000), new Date(1000));
    const second = await open({ memoryBytes: 0 }, 4000);
    for (const seed of [2, 3]) second.put(some(100, seed), state(seed));
    await second.close();
    expect(await readdir(directory)).not.toContain(name);
    expect(second.find([...some(100, 1), 7], 0)).toBeUndefined();
    expect(second.counts()).toMatchObject({ diskEntries: 2, failures: 0, refused: 0 });
  });

  it('reads a file once for all who ask at the same time', async () => {
    const store = await open({ memoryBytes: 0 }, 100_000);
    store.put(some(100, 1), state(1));
    await store.close();
    const match = store.find([...some(100, 1), 7], 0);
    if (match === undefined) throw new Error('Expected the prefix to be found');
    const [first, second] = await Promise.all([store.load(match.prefix), store.load(match.prefix)]);
    expect(first).toEqual(Buffer.from(state(1)));
    expect(second).toBe(first);
  });

  it('forgets a refused prefix in memory and in its file', async () => {
    const store = await open({ memoryBytes: 0 }, 100_000);
    store.put(some(100, 1), state(1));
    await store.close();
    const match = store.find([...some(100, 1), 7], 0);
    if (match === undefined) throw new Error('Expected the prefix to be found');
    store.refuse(match.prefix);
    expect(store.find([...some(100, 1), 7], 0)).toBeUndefined();
    expect(store.counts().refused).toBe(1);
    await expect.poll(() => readdir(directory)).toEqual([]);
  });

  it('finds what another process wrote since, at the next write', async () => {
    const [one, two] = [await open({ memoryBytes: 0 }, 100_000), await open({ memoryBytes: 0 }, 100_000)];
    one.put(some(100, 1), state(1));
    await one.close();
    two.put(some(100, 2), state(2));
    await two.close();
    expect(two.find([...some(100, 1), 7], 0)).toMatchObject({ length: 100 });
  });

  it('writes files that only their owner reads', async () => {
    const store = await open({ memoryBytes: 0 }, 100_000);
    store.put(some(100, 1), state(1));
    await store.close();
    const [name = ''] = await readdir(directory);
    const { mode } = await stat(join(directory, name));
    expect(process.platform === 'win32' || (mode & 0o077) === 0).toBe(true);
  });

  it('counts what cannot be written, and goes on', async () => {
    const store = await open({ memoryBytes: 0 }, 100_000);
    await rm(directory, { recursive: true });
    await writeFile(directory, '');
    store.put(some(100, 1), state(1));
    await store.close();
    expect(store.counts()).toMatchObject({ failures: 1, diskEntries: 0 });
    expect(store.find([...some(100, 1), 7], 0)).toBeUndefined();
  });
});

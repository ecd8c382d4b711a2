import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { estimateLoad } from '../../../lib/server/models/memory-use.js';
import { ModelPool } from '../../../lib/server/models/model-pool.js';
import type { ServedModelOptions } from '../../../lib/server/models/types.js';
import { FakeLoader, settle } from '../../helpers/fake-loader.js';
import { writeTinyGenerator } from '../../helpers/tiny-generator.js';

const never = new AbortController().signal;
const load = { isolate: false, contextSize: 512 };

let directory: string;
let source: string;
/** What one of the models is estimated to take. */
let size: number;
let loader: FakeLoader;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'budget-'));
  source = join(directory, 'tiny.gguf');
  await writeTinyGenerator(source);
  size = (await estimateLoad(source, load, never)).bytes;
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach(() => {
  loader = new FakeLoader();
  loader.isInstant = true;
});

/** A pool with room for `room` of its models, `a`, `b` and so on. */
function makePool(room: number, models: readonly Partial<ServedModelOptions>[]): ModelPool {
  const names = models.map((options, index) => ({
    source,
    name: String.fromCharCode(97 + index),
    ...options,
  }));
  const settings = { models: names, load, defaultModel: undefined, loadTimeoutMs: 60_000 };
  return new ModelPool({ ...settings, memoryBudgetBytes: Math.ceil(size * room) }, loader.load);
}

function statesOf(pool: ModelPool): Record<string, string> {
  return Object.fromEntries(pool.list().map(({ name, state }) => [name, state]));
}

/** Uses a model for a moment, in another millisecond than whatever comes before and after. */
async function touch(pool: ModelPool, name: string): Promise<void> {
  await pool.use(name, never, async () => {});
  await new Promise((resolve) => setTimeout(resolve, 3));
}

/** Uses a model until it is told to stop. */
function hold(pool: ModelPool, name: string) {
  let stop = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  return { ended: pool.use(name, never, () => stopped), stop };
}

describe('within a memory budget', () => {
  it('the model that was left alone for longest is unloaded for another one', async () => {
    const pool = makePool(2.5, [{}, {}, {}]);
    await touch(pool, 'a');
    await touch(pool, 'b');
    await touch(pool, 'a');
    await touch(pool, 'c');
    expect(statesOf(pool)).toEqual({ a: 'ready', b: 'unloaded', c: 'ready' });
    await touch(pool, 'b');
    expect(statesOf(pool)).toEqual({ a: 'unloaded', b: 'ready', c: 'ready' });
    expect(loader.open).toHaveLength(2);
  });

  it('as many are unloaded as have to be, and not more', async () => {
    const pool = makePool(3.5, [
      {},
      {},
      {},
      { load: { contextSize: 512, keyType: 'f32', valueType: 'f32' } },
    ]);
    for (const name of ['a', 'b', 'c']) await touch(pool, name);
    await touch(pool, 'd');
    expect(statesOf(pool)).toEqual({ a: 'unloaded', b: 'ready', c: 'ready', d: 'ready' });
  });

  it('one that is used is never unloaded; the numbers say why there is no room', async () => {
    const pool = makePool(1.5, [{}, {}]);
    const holding = hold(pool, 'a');
    await settle();
    const refused = pool.use('b', never, async () => {});
    await expect(refused).rejects.toMatchObject({
      code: 'no_room',
      status: 503,
      retryAfterSeconds: 2,
      message: expect.stringMatching(/b needs [\d.]+ [kM]B of the [\d.]+ [kM]B .* a [\d.]+ [kM]B \(in use\)/),
    });
    expect(statesOf(pool)).toEqual({ a: 'ready', b: 'unloaded' });
    holding.stop();
    await holding.ended;
    await pool.use('b', never, async () => {}); // at once: that there was no room is no failure of the model
    expect(statesOf(pool)).toEqual({ a: 'unloaded', b: 'ready' });
  });

  it('one that is pinned is never unloaded', async () => {
    const pool = makePool(2.5, [{ pinned: true }, {}, {}, { pinned: true }]);
    await touch(pool, 'a');
    await touch(pool, 'b');
    await touch(pool, 'c');
    expect(statesOf(pool)).toMatchObject({ a: 'ready', b: 'unloaded', c: 'ready' });
    await touch(pool, 'd');
    await expect(pool.load('b')).rejects.toMatchObject({
      code: 'no_room',
      message: expect.stringMatching(/a .* \(pinned\), d .* \(pinned\)/),
    });
  });

  it('one that alone is too large is refused with the numbers', async () => {
    const pool = makePool(0.5, [{}]);
    await expect(pool.use(undefined, never, async () => {})).rejects.toMatchObject({
      code: 'model_too_large',
      status: 400,
      message: expect.stringContaining('memoryBudgetBytes'),
    });
    expect(statesOf(pool)).toEqual({ a: 'failed' });
    expect(loader.loads).toHaveLength(0);
  });

  it('two that are loaded at the same time do not get the same room', async () => {
    const pool = makePool(1.5, [{}, {}]);
    loader.isInstant = false;
    const loads = [pool.load('a'), pool.load('b')];
    const outcomes = Promise.allSettled(loads);
    await expect(Promise.race(loads)).rejects.toMatchObject({ code: 'no_room' });
    expect(loader.loads).toHaveLength(1);
    loader.last.succeed();
    expect((await outcomes).map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('a load that fails gives its room back', async () => {
    const pool = makePool(1.5, [{}, {}]);
    loader.isInstant = false;
    const failing = pool.load('a').catch((error: unknown) => error);
    await expect.poll(() => loader.loads.length).toBe(1);
    loader.last.fail(new Error('broken'));
    await failing;
    loader.isInstant = true;
    await pool.load('b');
    expect(statesOf(pool)).toEqual({ a: 'failed', b: 'ready' });
  });

  it('what a model has taken in truth counts, where it is more', async () => {
    const pool = makePool(3.5, [{}, {}, {}]);
    await touch(pool, 'a');
    loader.isInstant = false;
    const loading = pool.load('b');
    await expect.poll(() => loader.loads.length).toBe(2);
    loader.last.model.memoryBytes = 2 * size;
    loader.last.succeed();
    await loading;
    expect(pool.find('b').memoryBytes).toBe(2 * size);
    loader.isInstant = true;
    await touch(pool, 'c');
    expect(statesOf(pool)).toEqual({ a: 'unloaded', b: 'ready', c: 'ready' });
  });

  it('models that have grown over it make the idle ones go', async () => {
    const pool = makePool(2.5, [{}, {}]);
    await touch(pool, 'a');
    loader.isInstant = false;
    const loading = pool.load('b');
    await expect.poll(() => loader.loads.length).toBe(2);
    loader.last.model.memoryBytes = 2 * size;
    loader.last.succeed();
    await loading;
    await settle();
    expect(statesOf(pool)).toEqual({ a: 'unloaded', b: 'ready' });
  });

  it('room that is about to be given back is waited for', async () => {
    const pool = makePool(1.5, [{}, {}]);
    await pool.load('a');
    let close = () => {};
    const { model } = loader.last;
    model.close = () =>
      new Promise((resolve) => {
        close = () => {
          model.isClosed = true;
          resolve();
        };
      });
    const unloading = pool.unload('a');
    const loading = pool.load('b');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(loader.loads).toHaveLength(1);
    close();
    await Promise.all([unloading, loading]);
    expect(statesOf(pool)).toEqual({ a: 'unloaded', b: 'ready' });
  });

  it('a load that is stopped while others wait for its room holds nobody up', async () => {
    const pool = makePool(1.5, [{}, {}, {}]);
    await pool.load('a');
    let close = () => {};
    loader.last.model.close = () =>
      new Promise((resolve) => {
        close = resolve;
      });
    // The first waits for the memory of `a`, the second behind it, and is stopped there.
    const unloading = pool.unload('a');
    const first = pool.load('b');
    const second = pool.load('c').catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await pool.unload('c');
    expect(await second).toMatchObject({ code: 'model_unloaded' });
    close();
    await Promise.all([unloading, first]);
    expect(statesOf(pool)).toEqual({ a: 'unloaded', b: 'ready', c: 'unloaded' });
  });

  it('a removed model that is still used counts', async () => {
    const pool = makePool(1.5, [{}]);
    pool.add({ source, name: 'added' });
    const holding = hold(pool, 'added');
    await expect.poll(() => pool.find('added').state).toBe('ready');
    const removing = pool.remove('added');
    await expect(pool.load('a')).rejects.toMatchObject({ code: 'no_room' });
    holding.stop();
    await removing;
    await pool.load('a');
  });
});

describe('the memory of a load', () => {
  it('grows with the context, and by a process where the engine is in one', async () => {
    const { bytes: larger } = await estimateLoad(source, { isolate: false, contextSize: 4096 }, never);
    expect(larger).toBeGreaterThan(size);
    const { bytes: isolated } = await estimateLoad(source, { isolate: true, contextSize: 512 }, never);
    expect(isolated - size).toBeGreaterThan(16e6);
    const { bytes: drafted } = await estimateLoad(
      source,
      { ...load, speculative: { draftModel: source } },
      never,
    );
    expect(drafted).toBe(2 * size);
  });

  it('of a checkpoint is about its weights, and the file that is made from them tells later', async () => {
    const checkpoint = await mkdtemp(join(directory, 'checkpoint-'));
    await writeFile(join(checkpoint, 'model.safetensors'), Buffer.alloc(12_345));
    expect(await estimateLoad(checkpoint, load, never)).toEqual({ bytes: 12_345, isFromHeader: false });
  });

  it('of a file that is not there is not known', async () => {
    await expect(estimateLoad(join(directory, 'none.gguf'), load, never)).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
  });
});

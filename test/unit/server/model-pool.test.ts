import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createError } from '../../../lib/errors.js';
import type { Model } from '../../../lib/index.js';
import { ModelPool } from '../../../lib/server/models/model-pool.js';
import type { ModelState, ServedModelOptions } from '../../../lib/server/models/types.js';
import { FakeLoader, settle } from '../../helpers/fake-loader.js';

const never = new AbortController().signal;

let loader: FakeLoader;
beforeEach(() => {
  loader = new FakeLoader();
});

function makePool(
  models: readonly ServedModelOptions[],
  more: { defaultModel?: string; loadTimeoutMs?: number } = {},
) {
  const settings = { models, load: {}, defaultModel: undefined, loadTimeoutMs: 60_000, ...more };
  return new ModelPool(settings, loader.load);
}

function makeSmall(more = {}) {
  return makePool([{ source: 'a.gguf', name: 'a' }], more);
}

/** A request that uses a model until it is told to stop. */
function use(pool: ModelPool, name = 'a', signal = never) {
  let stop = () => {};
  let model: Model | undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const ended = pool.use(name, signal, async (given) => {
    model = given;
    await stopped;
    return 'done';
  });
  ended.catch(() => {});
  return { ended, stop, model: () => model };
}

function statesOf(pool: ModelPool): ModelState[] {
  const states: ModelState[] = [];
  pool.on('change', ({ state }) => {
    if (states.at(-1) !== state) states.push(state);
  });
  return states;
}

describe('a model that is asked for', () => {
  it('is loaded once for all that wait for it', async () => {
    const pool = makeSmall();
    const requests = [use(pool), use(pool), use(pool)];
    await settle();
    expect(loader.loads).toHaveLength(1);
    expect(pool.find('a')).toMatchObject({ state: 'loading', inFlight: 3, model: undefined });
    loader.last.succeed();
    await settle();
    expect(requests.map(({ model }) => model() as unknown)).toEqual(Array(3).fill(loader.last.model));
    for (const { stop } of requests) stop();
    await Promise.all(requests.map(({ ended }) => ended));
    expect(pool.find('a')).toMatchObject({ state: 'ready', inFlight: 0 });
  });

  it('is waited for no longer than the limit says, and the load goes on', async () => {
    const pool = makeSmall({ loadTimeoutMs: 20 });
    await expect(use(pool).ended).rejects.toMatchObject({ code: 'model_loading', status: 503 });
    loader.last.succeed();
    await settle();
    expect(pool.find('a')).toMatchObject({ state: 'ready', inFlight: 0 });
  });

  it('is not waited for by a request that was cancelled, and the load goes on', async () => {
    const pool = makeSmall();
    const controller = new AbortController();
    const request = use(pool, 'a', controller.signal);
    await settle();
    controller.abort(new Error('gone'));
    await expect(request.ended).rejects.toThrow('gone');
    expect(pool.find('a').inFlight).toBe(0);
    loader.last.succeed();
    await settle();
    expect(pool.find('a').state).toBe('ready');
  });

  it('is not loaded for a request that was cancelled before', async () => {
    const pool = makeSmall();
    await expect(use(pool, 'a', AbortSignal.abort(new Error('gone'))).ended).rejects.toThrow('gone');
    expect(loader.loads).toHaveLength(0);
  });
});

describe('a load that fails', () => {
  it('fails for all that wait for it, without the reasons, which administrators see', async () => {
    const pool = makeSmall();
    const requests = [use(pool), use(pool)];
    await settle();
    loader.last.fail(createError('MODEL_NOT_FOUND', 'There is no /secret/place/a.gguf.'));
    for (const { ended } of requests) {
      const error: Error = await ended.then(
        () => new Error('It did not fail.'),
        (reason) => reason,
      );
      expect(error).toMatchObject({ code: 'model_load_failed', status: 503, retryAfterSeconds: 1 });
      expect(error.message).not.toContain('secret');
    }
    expect(pool.find('a')).toMatchObject({
      state: 'failed',
      inFlight: 0,
      error: expect.stringContaining('secret'),
    });
  });

  it('is not repeated by every request, but after a while', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const pool = makeSmall();
      for (const pauseMs of [1000, 2000, 4000]) {
        const count = loader.loads.length;
        const request = use(pool);
        await settle();
        expect(loader.loads).toHaveLength(count + 1);
        loader.last.fail(new Error('broken'));
        await expect(request.ended).rejects.toMatchObject({ code: 'model_load_failed' });
        vi.setSystemTime(Date.now() + pauseMs - 1);
        await expect(use(pool).ended).rejects.toMatchObject({ status: 503, retryAfterSeconds: 1 });
        expect(loader.loads).toHaveLength(count + 1);
        vi.setSystemTime(Date.now() + 1);
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it('is repeated at once by whoever loads the model explicitly, who is told why it fails', async () => {
    const pool = makeSmall();
    for (const reason of ['first', 'second']) {
      const loading = pool.load('a');
      loading.catch(() => {});
      await settle();
      loader.last.fail(new Error(reason));
      await expect(loading).rejects.toThrow(reason);
    }
    const loading = pool.load('a');
    await settle();
    loader.last.succeed();
    await loading;
    expect(pool.find('a')).toMatchObject({ state: 'ready', error: undefined });
  });
});

describe('a model that is unloaded', () => {
  it('stays for the request that uses it; those that come meanwhile get it loaded anew', async () => {
    const pool = makeSmall();
    const states = statesOf(pool);
    const first = use(pool);
    await settle();
    const [firstLoad] = loader.loads;
    firstLoad?.succeed();
    await settle();
    const unloading = pool.unload('a');
    const second = use(pool);
    await settle();
    expect(firstLoad?.model.isClosed).toBe(false);
    expect(loader.loads).toHaveLength(1); // there would be two in memory
    first.stop();
    await expect(first.ended).resolves.toBe('done');
    await unloading;
    await settle();
    expect(firstLoad?.model.isClosed).toBe(true);
    expect(loader.loads).toHaveLength(2);
    loader.last.succeed();
    await settle();
    expect(second.model()).toBe(loader.last.model);
    second.stop();
    await second.ended;
    expect(states).toEqual(['loading', 'ready', 'unloading', 'loading', 'ready']);
  });

  it('while it is loading is not loaded, and who waits for it is told so', async () => {
    const pool = makeSmall();
    const states = statesOf(pool);
    const requests = [use(pool), use(pool)];
    await settle();
    await pool.unload('a');
    expect(loader.last.options.signal?.aborted).toBe(true);
    for (const { ended } of requests) {
      await expect(ended).rejects.toMatchObject({
        code: 'model_unloaded',
        status: 503,
        retryAfterSeconds: 1,
      });
    }
    expect(states).toEqual(['loading', 'unloading', 'unloaded']);
    expect(pool.find('a')).toMatchObject({ inFlight: 0, error: undefined });
  });

  it('in the moment in which its load has succeeded is closed', async () => {
    loader.heedsSignal = false;
    const pool = makeSmall();
    const request = use(pool);
    await settle();
    const unloading = pool.unload('a');
    loader.last.succeed();
    await unloading;
    await expect(request.ended).rejects.toMatchObject({ code: 'model_unloaded' });
    expect(loader.open).toEqual([]);
    expect(pool.find('a').state).toBe('unloaded');
  });

  it('twice is unloaded once, and loaded again by the next request at once', async () => {
    const pool = makeSmall();
    loader.isInstant = true;
    await pool.load('a');
    await Promise.all([pool.unload('a'), pool.unload('a')]);
    expect(pool.find('a').state).toBe('unloaded');
    const request = use(pool);
    request.stop();
    await expect(request.ended).resolves.toBe('done');
    expect(loader.open).toEqual(['a.gguf']);
  });

  it('and loaded, unloaded and loaded again in one breath ends as the last call says', async () => {
    const pool = makeSmall();
    loader.isInstant = true;
    const outcomes = await Promise.allSettled([
      pool.load('a'),
      pool.unload('a'),
      pool.load('a'),
      pool.unload('a'),
      pool.load('a'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(pool.find('a').state).toBe('ready');
    expect(loader.open).toEqual(['a.gguf']);
  });

  it('may fail to close, and is loaded again all the same', async () => {
    const pool = makeSmall();
    loader.isInstant = true;
    await pool.load('a');
    loader.last.model.close = () => Promise.reject(new Error('It does not close.'));
    await pool.unload('a');
    expect(pool.find('a').state).toBe('unloaded');
    await pool.load('a');
    expect(pool.find('a').state).toBe('ready');
  });
});

describe('a pool that is closed', () => {
  it('stops loads by their signal, and tells who waits', async () => {
    const pool = makeSmall();
    const request = use(pool);
    await settle();
    await pool.close();
    expect(loader.last.options.signal?.aborted).toBe(true);
    await expect(request.ended).rejects.toMatchObject({ code: 'shutting_down', status: 503 });
    await expect(use(pool).ended).rejects.toMatchObject({ code: 'shutting_down' });
    await expect(pool.load('a')).rejects.toMatchObject({ code: 'shutting_down' });
  });

  it('closes models that are in use, and those that wait for their last request', async () => {
    const pool = makePool([
      { source: 'a.gguf', name: 'a' },
      { source: 'b.gguf', name: 'b' },
    ]);
    loader.isInstant = true;
    const requests = [use(pool, 'a'), use(pool, 'b')];
    await settle();
    const unloading = pool.unload('a');
    await Promise.all([pool.close(), pool.close()]);
    expect(loader.open).toEqual([]);
    await unloading;
    for (const { stop } of requests) stop();
    await Promise.all(requests.map(({ ended }) => ended));
    expect(pool.list().map(({ state, inFlight }) => [state, inFlight])).toEqual([
      ['unloaded', 0],
      ['unloaded', 0],
    ]);
  });

  it('preloads nothing any more', async () => {
    const pool = makePool([
      { source: 'a.gguf', name: 'a', preload: true },
      { source: 'b.gguf', name: 'b', preload: true },
    ]);
    const preloading = pool.preload();
    await settle();
    await pool.close();
    await preloading;
    expect(loader.loads.map(({ source }) => source)).toEqual(['a.gguf']);
  });
});

describe('a model whose engine crashes', () => {
  it('is loading until the engine runs again; requests wait for that', async () => {
    const pool = makeSmall();
    loader.isInstant = true;
    await pool.load('a');
    const states = statesOf(pool);
    const { model } = loader.last;
    let open = () => {};
    model.gate = new Promise((resolve) => {
      open = resolve;
    });
    model.crash();
    expect(pool.find('a')).toMatchObject({ state: 'loading', crashes: 1, model: undefined });
    const request = use(pool);
    await settle();
    expect(request.model()).toBeUndefined();
    open();
    await settle();
    expect(request.model()).toBe(model);
    request.stop();
    await request.ended;
    expect(states).toEqual(['loading', 'ready']);
    expect(loader.loads).toHaveLength(1); // the library has started its engine again
  });

  it('and crashes again while it starts is started again, until the library gives up for a while', async () => {
    const pool = makeSmall();
    loader.isInstant = true;
    await pool.load('a');
    const { model } = loader.last;
    const crash = createError('ENGINE_CRASHED', 'It ended.');
    const pause = createError('ENGINE_START_FAILED', 'Not for a while.', {
      details: { retryAfterMs: 42_000 },
    });
    model.failures.push(crash, crash, pause);
    const before = model.asked;
    model.crash();
    const request = use(pool);
    await expect(request.ended).rejects.toMatchObject({ code: 'model_load_failed', retryAfterSeconds: 42 });
    expect(model.asked - before).toBe(3);
    await settle();
    expect(pool.find('a')).toMatchObject({ state: 'failed', inFlight: 0 });
    expect(model.isClosed).toBe(true);
    await expect(use(pool).ended).rejects.toMatchObject({ retryAfterSeconds: 42 });
    expect(loader.loads).toHaveLength(1);
  });

  it('can be unloaded while it starts, although requests wait for it', async () => {
    const pool = makeSmall();
    loader.isInstant = true;
    const working = use(pool);
    await settle();
    const { model } = loader.last;
    model.gate = new Promise(() => {});
    model.crash();
    const waiting = use(pool);
    await settle();
    const unloading = pool.unload('a');
    await expect(waiting.ended).rejects.toMatchObject({ code: 'model_unloaded' });
    working.stop(); // its own calls have failed
    await unloading;
    expect(model.isClosed).toBe(true);
    expect(pool.find('a').state).toBe('unloaded');
  });

  it('before anybody knew it is as if it had crashed later', async () => {
    const pool = makeSmall();
    const loading = pool.load('a');
    await settle();
    loader.last.model.failures.push(createError('ENGINE_CRASHED', 'It ended.'));
    loader.last.succeed();
    await loading;
    expect(pool.find('a').state).toBe('ready');
  });
});

describe('models that are added', () => {
  it('are known by all their names, and forgotten by all of them', async () => {
    const pool = makePool([]);
    expect(() => pool.find(undefined)).toThrow('The server has no model');
    pool.add({ source: 'hf:owner/b', name: 'b', aliases: ['bee', 'b'] });
    expect(pool.find('bee')).toBe(pool.find('b'));
    expect(pool.find(undefined).name).toBe('b');
    await pool.remove('bee');
    expect(pool.list()).toEqual([]);
    for (const name of ['b', 'bee']) expect(() => pool.find(name)).toThrow('does not exist');
  });

  it('may be added twice, but not under a name that another one has', () => {
    const pool = makePool([{ source: 'a.gguf', name: 'a', aliases: ['alpha'] }]);
    expect(pool.add({ source: 'b.gguf' })).toBe(pool.add({ source: 'b.gguf', name: 'b' }));
    for (const options of [
      { source: 'x.gguf', name: 'a' },
      { source: 'x.gguf', name: 'alpha' },
      { source: 'x.gguf', name: 'x', aliases: ['b'] },
    ]) {
      expect(() => pool.add(options)).toThrow(expect.objectContaining({ code: 'model_exists', status: 409 }));
    }
    expect(pool.list().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('can be removed while they are used, and added anew under the same name', async () => {
    const pool = makePool([]);
    loader.isInstant = true;
    pool.add({ source: 'b.gguf', name: 'b' });
    const request = use(pool, 'b');
    await settle();
    const removing = pool.remove('b');
    pool.add({ source: 'other.gguf', name: 'b' });
    await pool.load('b');
    expect(loader.open).toEqual(['b.gguf', 'other.gguf']);
    request.stop();
    await expect(request.ended).resolves.toBe('done');
    await removing;
    expect(loader.open).toEqual(['other.gguf']);
  });

  it('can be removed while they are loading; who waits for them is told', async () => {
    const pool = makePool([]);
    pool.add({ source: 'b.gguf', name: 'b' });
    const request = use(pool, 'b');
    await settle();
    await pool.remove('b');
    await expect(request.ended).rejects.toMatchObject({ code: 'model_not_found', status: 404 });
  });

  it('are the only ones that can be removed', async () => {
    await expect(makeSmall().remove('a')).rejects.toMatchObject({ code: 'model_not_removable', status: 403 });
  });

  it('are told of, and so is their end', async () => {
    const pool = makePool([]);
    const told: string[] = [];
    pool.on('change', ({ name, state }) => told.push(`${name} ${state}`));
    pool.on('remove', ({ name }) => told.push(`${name} removed`));
    loader.isInstant = true;
    pool.add({ source: 'b.gguf', name: 'b' });
    await pool.load('b');
    await pool.remove('b');
    await settle();
    expect(told).toEqual(['b unloaded', 'b loading', 'b ready', 'b removed']);
  });
});

describe('a pool', () => {
  it('is not made with a default model that it has not', () => {
    expect(() => makeSmall({ defaultModel: 'z' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(
      makePool([{ source: 'a.gguf', name: 'a', aliases: ['z'] }], { defaultModel: 'z' }).find(undefined).name,
    ).toBe('a');
  });

  it('preloads models one after the other, and does not stop at one that fails', async () => {
    const pool = makePool([
      { source: 'a.gguf', name: 'a', preload: true },
      { source: 'b.gguf', name: 'b' },
      { source: 'c.gguf', name: 'c', preload: true },
    ]);
    const preloading = pool.preload();
    await settle();
    expect(loader.loads.map(({ source }) => source)).toEqual(['a.gguf']);
    loader.last.fail(new Error('broken'));
    await settle();
    loader.last.succeed();
    await preloading;
    expect(pool.list().map(({ state }) => state)).toEqual(['failed', 'unloaded', 'ready']);
  });

  it('tells of progress', async () => {
    const pool = makeSmall();
    const fractions: unknown[] = [];
    pool.on('change', ({ progress }) => fractions.push(progress));
    const loading = pool.load('a');
    await settle();
    loader.last.options.onProgress?.({ stage: 'load', fraction: 0.5 });
    loader.last.succeed();
    await loading;
    expect(fractions).toEqual([undefined, { stage: 'load', fraction: 0.5 }, undefined]);
  });

  it('does not lose a model to a listener that throws', async () => {
    const pool = makeSmall();
    const thrown: unknown[] = [];
    const catchIt = (error: unknown) => thrown.push(error);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', catchIt);
    try {
      pool.on('change', () => {
        throw new Error('of the listener');
      });
      loader.isInstant = true;
      await pool.load('a');
      await settle();
      expect(thrown).toHaveLength(2);
      expect(pool.find('a').state).toBe('ready');
    } finally {
      process.off('uncaughtException', catchIt);
      for (const other of others) process.on('uncaughtException', other);
    }
  });
});

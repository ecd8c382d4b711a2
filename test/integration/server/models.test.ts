import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerOptions } from '../../../lib/server/index.js';
import { crashEngine, engineOf } from '../../helpers/engine-crashes.js';
import { startServerForTest, type TestServer } from '../../helpers/test-server.js';
import { endlessChat, makeTinyModel } from '../../helpers/tiny-server.js';

let path: string;
let directory: string;
beforeAll(async () => {
  ({ path, directory } = await makeTinyModel());
  await copyFile(path, join(directory, 'other.gguf'));
});
afterAll(() => rm(directory, { recursive: true }));

const load = { contextSize: 512, threads: 1, sequences: 2 };
const chats = '/v1/chat/completions';
const shortChat = { ...endlessChat, max_tokens: 3, stream: false };

function start(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const models = [
    { source: path, name: 'one', preload: false, aliases: ['uno'] },
    { source: path, name: 'two' },
  ];
  return startServerForTest({ models, ...options, load: { ...load, ...options.load } });
}

interface Event {
  readonly name: string;
  readonly data: Record<string, unknown>;
}

function parseEvents(text: string): Event[] {
  const events = text.split('\n\n').filter((event) => event.startsWith('event: '));
  return events.map((event) => {
    const [name = '', data = ''] = event.split('\n');
    return { name: name.slice('event: '.length), data: JSON.parse(data.slice('data: '.length)) };
  });
}

/** Follows the events of a server until one is as wanted. */
async function eventsUntil(response: Response, isLast: (event: Event) => boolean): Promise<Event[]> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    const events = parseEvents(text.slice(0, text.lastIndexOf('\n\n') + 2));
    if (events.some(isLast)) return events; // leaving the loop closes the connection
  }
  throw new Error(`The events ended before that: ${text}`);
}

describe('models at run time', () => {
  it('are loaded and unloaded by name or alias', async () => {
    const { post, server } = await start();
    const loaded = await post('/models/load', { model: 'uno' });
    expect(loaded.status).toBe(200);
    expect(await loaded.json()).toMatchObject({ name: 'one', state: 'ready', in_flight: 0, added: false });
    expect(server.models.find('one').model).toBeDefined();
    const unloaded = await post('/models/unload', { model: 'one' });
    expect(await unloaded.json()).toMatchObject({ name: 'one', state: 'unloaded', memory_bytes: 0 });
    expect((await post(chats, { ...shortChat, model: 'one' })).status).toBe(200); // which loads it again
  });

  it('tell their progress as events where that is asked for', async () => {
    const { post } = await start();
    const response = await post('/models/load', { model: 'one', stream: true });
    const events = parseEvents(await response.text());
    expect(new Set(events.map(({ data }) => data.name))).toEqual(new Set(['one']));
    expect(events.map(({ data }) => data.state)).toContain('loading');
    expect(events.some(({ data }) => data.progress !== undefined)).toBe(true);
    expect(events.at(-1)).toMatchObject({ name: 'model', data: { state: 'ready' } });
  });

  it('that fail say why in the last event, and with the status otherwise', async () => {
    const models = [{ source: join(directory, 'none.gguf'), name: 'none', preload: false }];
    const { post } = await start({ models });
    const streamed = parseEvents(await (await post('/models/load', { model: 'none', stream: true })).text());
    expect(streamed.at(-1)).toMatchObject({ name: 'error', data: { code: 'model_not_found' } });
    expect(streamed.at(-2)).toMatchObject({
      data: { state: 'failed', error: expect.stringContaining('none.gguf') },
    });
    const refused = await post('/models/load', { model: 'none' });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      code: 'model_not_found',
      error: expect.stringContaining('none.gguf'),
    });
    const asked = await post(chats, { ...shortChat, model: 'none' });
    expect(asked.status).toBe(503);
    expect(asked.headers.get('retry-after')).not.toBeNull();
    expect(await asked.text()).not.toContain(directory);
  });

  it('are watched through a feed: how they are, and what becomes of them', async () => {
    const { url, post, server } = await start({ allowSources: true });
    const listeners = server.models.listenerCount('remove');
    const feed = await fetch(`${url}/models/events`);
    expect(feed.headers.get('content-type')).toContain('text/event-stream');
    const events = eventsUntil(feed, ({ name }) => name === 'removed');
    await post('/models/load', { source: join(directory, 'other.gguf') });
    await fetch(`${url}/models/other`, { method: 'DELETE' });
    const all = await events;
    expect(all.slice(0, 2).map(({ data }) => [data.name, data.state])).toEqual([
      ['one', 'unloaded'],
      ['two', 'unloaded'],
    ]);
    const states = all.filter(({ data }) => data.name === 'other').map(({ data }) => data.state);
    expect(states.filter((state, index) => state !== states[index - 1])).toEqual([
      'unloaded',
      'loading',
      'ready',
      undefined,
    ]);
    await expect.poll(() => server.models.listenerCount('remove')).toBe(listeners);
  });

  it('are administrators’ business', async () => {
    const { url, post } = await start({
      apiKeys: [
        { key: 'of-a-client', admin: false },
        { key: 'of-an-admin', admin: true },
      ],
    });
    const authorization = 'Bearer of-a-client';
    const answers = await Promise.all([
      post('/models/load', { model: 'one' }, { authorization }),
      post('/models/unload', { model: 'one' }, { authorization }),
      fetch(`${url}/models/events`, { headers: { authorization } }),
      fetch(`${url}/models/one`, { method: 'DELETE', headers: { authorization } }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect((await post('/models/load', { model: 'one' })).status).toBe(401);
    expect(
      (await post('/models/load', { model: 'one' }, { authorization: 'Bearer of-an-admin' })).status,
    ).toBe(200);
  });

  it.each([
    ['nothing', {}, 400, 'model'],
    ['a name that is no text', { model: 5 }, 400, 'model'],
    ['a name and a source', { model: 'one', source: 'x' }, 400, 'model'],
    ['options of a model that has its own', { model: 'one', pinned: true }, 400, 'pinned'],
    ['a program to run', { model: 'one', isolate: { execPath: '/bin/sh' } }, 400, undefined],
    ['a file beside the model', { source: 'x', options: { adapters: ['/etc/passwd'] } }, 400, 'options'],
    ['too many sequences', { source: 'x', options: { sequences: 65 } }, 400, 'options.sequences'],
    ['an empty source', { source: '' }, 400, 'source'],
    ['a long source', { source: 'x'.repeat(5000) }, 400, 'source'],
    ['a file that is not there', { source: '/no/such/file.gguf' }, 400, undefined],
    ['a repository without an owner', { source: 'hf:no-such-form' }, 400, undefined],
    ['an unknown name', { model: 'nobody' }, 404, 'model'],
  ])('are not loaded for %s', async (_, body, status, param) => {
    const { post, server } = await start({ allowSources: true });
    const response = await post('/models/load', body);
    const answer = (await response.json()) as { param?: string; error: string };
    expect([response.status, answer.param]).toEqual([status, param]);
    expect(answer.error).not.toBe('');
    expect(server.models.list()).toHaveLength(2);
  });
});

describe('models that the server was not started with', () => {
  it('are refused unless that is allowed', async () => {
    const { post } = await start();
    const response = await post('/models/load', { source: path });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'sources_not_allowed', param: 'source' });
  });

  it('are added under a name, work, and are removed', async () => {
    const { url, post, server } = await start({ allowSources: true });
    const added = await post('/models/load', {
      source: join(directory, 'other.gguf'),
      name: 'team/new model',
      aliases: ['new'],
      options: { context_size: 300, sequences: 3 },
    });
    expect(await added.json()).toMatchObject({
      name: 'team/new model',
      aliases: ['new'],
      state: 'ready',
      added: true,
    });
    expect(server.models.find('new').model?.contextSize).toBe(512); // in steps of 256
    expect(server.models.find('new').sequences).toBe(3);
    expect((await post(chats, { ...shortChat, model: 'new' })).status).toBe(200);
    const taken = await post('/models/load', { source: path, name: 'new' });
    expect(taken.status).toBe(409);
    const removed = await fetch(`${url}/models/${encodeURIComponent('team/new model')}`, {
      method: 'DELETE',
    });
    expect(removed.status).toBe(204);
    expect((await post(chats, { ...shortChat, model: 'new' })).status).toBe(404);
  });

  it('are not kept if they cannot be loaded', async () => {
    const { post, server } = await start({ allowSources: true });
    const responses = await Promise.all(
      [1, 2].map(() => post('/models/load', { source: join(directory, 'none.gguf') })),
    );
    expect(responses.map(({ status }) => status)).toEqual([400, 400]);
    expect(server.models.list()).toHaveLength(2);
  });

  it('are the only ones to be removed', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/models/one`, { method: 'DELETE' });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'model_not_removable' });
  });
});

describe('models in processes of their own', () => {
  const isolated = { load: { ...load, isolate: true, contextSize: 200_000 } };

  it('fail alone when one crashes, and that one is started again', async () => {
    const { post, server } = await start(isolated);
    await Promise.all(['one', 'two'].map((name) => server.models.load(name)));
    const model = server.models.find('one').model;
    if (model === undefined) throw new Error('It is not loaded.');
    const processId = await engineOf(model);
    const stream = await post(chats, { ...endlessChat, model: 'one' });
    const whole = post(chats, { ...endlessChat, model: 'one', stream: false });
    const other = post(chats, { ...endlessChat, model: 'two', stream: false, max_tokens: 500 });
    await expect.poll(async () => (await model.metrics()).running).toBe(2);
    await crashEngine(model);
    expect(server.models.find('one')).toMatchObject({ state: 'loading', crashes: 1 });
    const failed = await whole;
    expect(failed.status).toBe(503);
    expect(failed.headers.get('retry-after')).toBe('1');
    expect(await failed.json()).toMatchObject({ error: { code: 'engine_crashed' } });
    expect(await stream.text()).toMatch(/"code":\s*"engine_crashed"[^\n]*\n\n$/);
    expect((await other).status).toBe(200);
    // Nobody has to ask for it.
    await expect.poll(() => server.models.find('one').state).toBe('ready');
    expect(await engineOf(model)).not.toBe(processId);
    expect((await post(chats, { ...shortChat, model: 'one' })).status).toBe(200);
  });

  it('are counted with the memory of their processes, and make room for each other', async () => {
    const { post, server } = await start({ ...isolated, memoryBudgetBytes: 1e12 });
    await server.models.load('one');
    const { memoryBytes = 0 } = server.models.find('one');
    expect(memoryBytes).toBeGreaterThan(40e6); // a Node.js at the least
    const tight = await start({ ...isolated, memoryBudgetBytes: Math.round(memoryBytes * 1.6) });
    for (const name of ['one', 'two', 'one']) {
      expect((await tight.post(chats, { ...shortChat, model: name })).status).toBe(200);
      const ready = tight.server.models.list().filter(({ state }) => state === 'ready');
      expect(ready.map((served) => served.name)).toEqual([name]);
    }
    const stream = await tight.post(chats, { ...endlessChat, model: 'one' });
    const refused = await tight.post(chats, { ...shortChat, model: 'two' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(await refused.text()).toMatch(/two needs [\d.]+ MB of the [\d.]+ MB .*one [\d.]+ MB \(in use\)/);
    await stream.body?.cancel();
    await expect.poll(async () => (await tight.post(chats, { ...shortChat, model: 'two' })).status).toBe(200);
    expect((await post(chats, { ...shortChat, model: 'two' })).status).toBe(200);
  });
});

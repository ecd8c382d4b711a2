import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';

let directory: string;
let model: Model;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-chat-'));
  model = await loadModel(await testModelPath(), { contextSize: 1024, threads: 1 });
});
afterAll(async () => {
  await model.close();
  await rm(directory, { recursive: true });
});

const brief = { temperature: 0, maxTokens: 12 } as const;

describe('a saved chat', () => {
  it('goes on in another process’s model without reading the old messages again', async () => {
    const path = join(directory, 'talk.chat');
    const chat = model.createChat({ system: 'You are a helpful assistant.', ...brief });
    await chat.send('Tell me about the sea.').result;
    await chat.send('And about the moon.').result;
    await chat.save(path);

    const other = await loadModel(await testModelPath(), { contextSize: 1024, threads: 1 });
    const restored = await other.restore(path, brief);
    expect(restored.history).toEqual(chat.history);
    const answer = await restored.send('Thank you.').result;
    expect(answer.usage.cachedTokens).toBeGreaterThan(answer.usage.promptTokens - 25);
    const original = await chat.send('Thank you.').result;
    expect(answer.tokens.slice(0, 3)).toEqual(original.tokens.slice(0, 3));
    restored.reset();
    expect(restored.history).toEqual([{ role: 'system', content: 'You are a helpful assistant.' }]);
    await other.close();
  });

  it('carries nothing of another conversation that began alike', async () => {
    const path = join(directory, 'alike.chat');
    const history = [
      { role: 'user', content: 'Let us begin with the very same words in both conversations.' },
    ];
    const first = model.createChat({ ...brief });
    await first.send(history[0]?.content ?? '').result;
    await first.send('My secret word is xylophone.').result;
    const second = model.createChat({ history: first.history.slice(0, 2), ...brief });
    await second.save(path);
    const restored = await model.restore(path, brief);
    expect(restored.history).toEqual(second.history);
    expect((await readFile(path)).includes('xylophone')).toBe(false);
  });

  it('is refused when any byte of it was changed, when it is cut, and when it is something else', async () => {
    const path = join(directory, 'damaged.chat');
    const chat = model.createChat(brief);
    await chat.send('Hi').result;
    await chat.save(path);
    const whole = await readFile(path);
    for (let trial = 0; trial < 60; trial++) {
      const damaged = Buffer.from(whole);
      const at = Math.floor((trial * whole.length) / 60);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (trial % 8));
      await writeFile(path, damaged);
      await expect(model.restore(path)).rejects.toMatchObject({ code: 'STATE_INVALID' });
    }
    for (const content of [whole.subarray(0, whole.length - 1), Buffer.from('hello'), Buffer.alloc(0)]) {
      await writeFile(path, content);
      await expect(model.restore(path)).rejects.toMatchObject({ code: 'STATE_INVALID' });
    }
    await expect(model.restore(join(directory, 'nowhere'))).rejects.toMatchObject({
      code: 'FILE_ACCESS_FAILED',
    });
    const nowhere = join(directory, 'no', 'such', 'folder');
    await expect(chat.save(nowhere)).rejects.toMatchObject({ code: 'FILE_ACCESS_FAILED' });
  });

  it('can be saved before anything was said, and not while it answers', async () => {
    const path = join(directory, 'empty.chat');
    const chat = model.createChat({ system: 'Be kind.', ...brief });
    await chat.save(path);
    expect((await model.restore(path)).history).toEqual([{ role: 'system', content: 'Be kind.' }]);
    const answer = chat.send('Hi');
    await expect(chat.save(path)).rejects.toMatchObject({ code: 'BUSY' });
    await answer.result;
  });

  it('is read again where the cache has no room for its part of it', async () => {
    const path = join(directory, 'large.chat');
    const chat = model.createChat(brief);
    await chat.send('Tell me about the sea. '.repeat(20)).result;
    await chat.save(path);
    const small = await loadModel(await testModelPath(), { contextSize: 256, threads: 1 });
    await small.generate(new Int32Array(200).fill(500), { ...brief, maxTokens: 1 }).result;
    const restored = await small.restore(path, brief);
    expect(restored.history).toEqual(chat.history);
    const answer = await restored.send('Thank you.').result;
    expect(answer.usage.completionTokens).toBeGreaterThan(0);
    await small.close();
  });
});

import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EngineCrashedError, EngineStartError } from '../../lib/index.js';
import { toIsolateSettings } from '../../lib/isolate/options.js';
import { RemoteAddon } from '../../lib/isolate/remote-addon.js';
import { EngineSupervisor } from '../../lib/isolate/supervisor.js';
import { crashEngine, engineOf, untilGone } from '../helpers/engine-crashes.js';
import { crashesOf, running, useIsolatedModels } from '../helpers/isolated-models.js';

const models = useIsolatedModels();

describe('when the process of a model dies', () => {
  it.each(['SIGKILL', 'SIGABRT', 'SIGSEGV'] as const)(
    'of %s, calls in flight fail and later ones work',
    async (signal) => {
      const model = await models.load({ sequences: 2 });
      const reports = crashesOf(model);
      const processId = await engineOf(model);
      const generations = await Promise.all([running(model), running(model)]);
      process.kill(processId, signal);
      const embedding = model.embed('and this');
      for (const { result } of generations) {
        const error = await result.catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(EngineCrashedError);
        expect(error).toMatchObject({
          code: 'ENGINE_CRASHED',
          details: { signal, reason: 'exited', processId },
        });
        expect((error as EngineCrashedError).details.text).not.toBe('');
      }
      await embedding.catch((error) => expect(error).toMatchObject({ code: 'ENGINE_CRASHED' }));
      expect(reports).toHaveLength(1);
      expect(reports[0]).toMatchObject({ signal, crashesInARow: 1, reason: 'exited' });
      expect(reports[0]?.interrupted.filter(({ method }) => method === 'submitGeneration')).toHaveLength(2);
      expect(reports[0]?.interrupted.every(({ promptTokens }) => promptTokens === undefined)).toBe(true);

      const { tokens } = await model.generate('Again', { maxTokens: 5, ignoreEndOfSequence: true }).result;
      expect(tokens).toHaveLength(5);
      expect(await engineOf(model)).not.toBe(processId);
      expect((await model.metrics()).engineProcess?.restarts).toBe(1);
    },
  );

  it('a chat goes on with what was said', async () => {
    const model = await models.load();
    const chat = model.createChat({ temperature: 0, maxTokens: 20 });
    await chat.send('Hello!').result;
    await crashEngine(model);
    const { usage, text } = await chat.send('Say that again.').result;
    expect(usage.cachedTokens).toBe(0);
    expect(chat.history).toHaveLength(4);

    // As the same conversation is answered where all of it is read at once.
    const other = await models.load();
    const { text: expected } = await other.chat(chat.history.slice(0, 3), { temperature: 0, maxTokens: 20 })
      .result;
    expect(text).toBe(expected);
  });

  it('in the middle of an answer, the chat may be asked again', async () => {
    const model = await models.load();
    const chat = model.createChat({ temperature: 0, maxTokens: 200 });
    const answer = chat.send('Tell me a long story.');
    const failing = answer.result.catch((error: unknown) => error);
    for await (const part of answer.textStream) {
      if (part !== '') break;
    }
    // Leaving the loop stopped the answer; the next one is interrupted.
    await failing;
    // Long enough to be interrupted on any machine.
    const next = chat.send('Another one.', { maxTokens: 1500, ignoreEndOfSequence: true });
    setTimeout(async () => process.kill(await engineOf(model), 'SIGKILL'), 100);
    await expect(next.result).rejects.toMatchObject({ code: 'ENGINE_CRASHED' });
    expect((await chat.send('Short, please.', { maxTokens: 5 }).result).text).not.toBe('');
  });

  it('prefixes that were given up before come back from memory', async () => {
    const model = await models.load({ contextSize: 512, prefixCache: { memoryBytes: 64e6 } });
    const long = 'The quick brown fox jumps over the lazy dog. '.repeat(25);
    const options = { maxTokens: 4, temperature: 0, ignoreEndOfSequence: true };
    const first = await model.generate(`A. ${long}`, options).result;
    await model.generate(`B. ${long}`, options).result; // pushes A out
    await crashEngine(model);
    const again = await model.generate(`A. ${long}`, options).result;
    expect(again.text).toBe(first.text);
    expect(again.usage.cachedTokens).toBeGreaterThan(200);
  });

  it('generations that only waited go on', async () => {
    const model = await models.load({ sequences: 1 });
    const processId = await engineOf(model);
    const first = await running(model);
    const waiting = model.generate('I wait', { maxTokens: 3, ignoreEndOfSequence: true });
    while ((await model.metrics()).waiting === 0) await delay(5);
    process.kill(processId, 'SIGKILL');
    await expect(first.result).rejects.toMatchObject({ code: 'ENGINE_CRASHED' });
    expect((await waiting.result).tokens).toHaveLength(3);
  });

  it('contexts and samplers of the low level say that they are lost', async () => {
    const model = await models.load();
    const context = await model.createContext({ contextSize: 256 });
    const sampler = await model.createSampler({ temperature: 0 });
    await context.eval(await model.tokenize('Hello'));
    await crashEngine(model);
    await expect(context.eval([1])).rejects.toMatchObject({ code: 'ENGINE_CRASHED' });
    await context.close();

    const another = await model.createContext({ contextSize: 256 });
    await another.eval(await model.tokenize('Hello'));
    await expect(another.sample(sampler)).rejects.toMatchObject({ code: 'ENGINE_CRASHED' });
    expect(await another.sample(await model.createSampler({ temperature: 0 }))).toBeTypeOf('number');
    await another.close();
  });

  it('before anything is evaluated, time and again, it is given up for a while', async () => {
    const model = await models.load({ isolate: { crashLimit: 3 } });
    const reports = crashesOf(model);
    for (let crash = 0; crash < 3; crash++) {
      // Tokenizing is no evaluation: whatever makes the engine crash is not over.
      await model.tokenize('Hi');
      const processId = await engineOf(model);
      const generation = model.generate('x '.repeat(900));
      process.kill(processId, 'SIGKILL');
      await expect(generation.result).rejects.toMatchObject({ code: 'ENGINE_CRASHED' });
    }
    expect(reports.map(({ crashesInARow }) => crashesInARow)).toEqual([1, 2, 3]);
    const error = await model.generate('Hi').result.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EngineStartError);
    expect(error).toMatchObject({ code: 'ENGINE_START_FAILED', details: { crashes: 3 } });
    expect(String(error)).toContain('crashLimit');
  });

  it('reports hold prompts only if that is asked for', async () => {
    const model = await models.load({ isolate: { reportPrompts: true } });
    const reports = crashesOf(model);
    const generation = await running(model);
    process.kill(await engineOf(model), 'SIGKILL');
    await generation.result.catch(() => {});
    expect(reports[0]?.interrupted[0]?.promptTokens).toEqual(await model.tokenize('Once upon a time'));
  });
});

describe('a model whose process hangs', () => {
  it('is found by its silence, and replaced', async () => {
    const model = await models.load({ isolate: { hangTimeoutMs: 500 } });
    const reports = crashesOf(model);
    const generation = await running(model);
    const begin = performance.now();
    process.kill(await engineOf(model), 'SIGSTOP');
    await expect(generation.result).rejects.toMatchObject({
      code: 'ENGINE_CRASHED',
      details: { reason: 'hung' },
    });
    expect(performance.now() - begin).toBeLessThan(5000);
    expect(reports[0]?.reason).toBe('hung');
    expect((await model.generate('Hi', { maxTokens: 2 }).result).tokens.length).toBeGreaterThan(0);
  });

  it('is not suspected while this process is busy, or lets it wait for logits', async () => {
    const model = await models.load({ isolate: { hangTimeoutMs: 300 } });
    const reports = crashesOf(model);
    const slow = model.generate('Hi', {
      maxTokens: 2,
      logitsProcessor: async () => {
        await delay(700);
      },
    });
    await slow.result;
    const generation = await running(model);
    const until = performance.now() + 1500;
    while (performance.now() < until); // nothing is read meanwhile
    for await (const { text } of generation) if (text !== '') break;
    await generation.result;
    expect(reports).toEqual([]);
  });

  it('is replaced when nothing is in flight but what does not end', async () => {
    const supervisor = new EngineSupervisor(toIsolateSettings(true));
    await supervisor.start();
    const addon = new RemoteAddon(supervisor);
    const options = { gpuLayers: 0, vocabOnly: true, checkTensors: false, memoryMap: true };
    const handle = await addon.loadModel(models.path, options, addon.createCancelFlag(), () => {});
    const processId = supervisor.engine?.processId ?? 0;
    const loop = (inner: string) => `{% for i in range(9999) %}${inner}{% endfor %}`;
    const template = loop(loop(loop('{% set x = i %}')));
    const rendering = addon.applyChatTemplate(handle, '[{"role":"user","content":"Hi"}]', { template });
    const failure = rendering.catch((error: unknown) => error);
    const tokenizing = addon.tokenize(handle, ['x '.repeat(200_000)], false, false);
    supervisor.retire('applyChatTemplate', 0);
    expect(await tokenizing).toHaveLength(1); // was in flight, so the process had to wait for it
    await untilGone(processId);
    expect(await failure).toMatchObject({ code: 'CLOSED' });
    expect(await addon.tokenize(handle, ['Hi'], false, false)).toHaveLength(1);
    expect(supervisor.engine?.processId).not.toBe(processId);
    await supervisor.close();
  });

  it('over a template gives that up in time, and goes on', async () => {
    const model = await models.load();
    const reports = crashesOf(model);
    const loop = (inner: string) => `{% for i in range(9999) %}${inner}{% endfor %}`;
    const template = loop(loop(loop('{% set x = i %}')));
    const begin = performance.now();
    const rendering = model.applyChatTemplate([{ role: 'user', content: 'Hi' }], { template });
    await expect(rendering).rejects.toMatchObject({ code: 'CHAT_TEMPLATE_FAILED' });
    expect(performance.now() - begin).toBeLessThan(15_000);
    expect((await model.generate('Hi', { maxTokens: 2 }).result).tokens.length).toBeGreaterThan(0);
    expect(reports).toEqual([]);
  });
});

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type CrashReport,
  EngineCrashedError,
  EngineStartError,
  type LoadModelOptions,
  loadModel,
  type Model,
} from '../../lib/index.js';
import { toIsolateSettings } from '../../lib/isolate/options.js';
import { RemoteAddon } from '../../lib/isolate/remote-addon.js';
import { EngineSupervisor } from '../../lib/isolate/supervisor.js';
import { childrenOf, crashEngine, engineOf, isRunning, untilGone } from '../helpers/engine-crashes.js';
import { testModelPath } from '../helpers/model.js';
import { collectGarbage } from '../helpers/process-figures.js';
import { runProgram } from '../helpers/run-program.js';

let path: string;
let directory: string;
beforeAll(async () => {
  path = await testModelPath();
  directory = await mkdtemp(join(tmpdir(), 'llama-native-isolate-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const open: Model[] = [];
afterEach(() => Promise.all(open.splice(0).map((model) => model.close())));

async function load(options: LoadModelOptions = {}): Promise<Model> {
  const model = await loadModel(path, { contextSize: 1024, isolate: true, ...options });
  open.push(model);
  return model;
}

function crashesOf(model: Model): CrashReport[] {
  const reports: CrashReport[] = [];
  model.on('crash', (report) => reports.push(report));
  return reports;
}

/** A long generation that has begun to write. */
async function running(model: Model) {
  const generation = model.generate('Once upon a time', { maxTokens: 900, ignoreEndOfSequence: true });
  const chunks = generation[Symbol.asyncIterator]();
  await chunks.next();
  return generation;
}

describe('an isolated model', () => {
  it('says the same as one in this process, and runs in another', async () => {
    const [here, there] = [await load({ isolate: false }), await load()];
    const options = { maxTokens: 30, temperature: 0, logprobs: 2 };
    const [mine, its] = await Promise.all(
      [here, there].map((model) => model.generate('The three colours are', options).result),
    );
    expect(its?.text).toBe(mine?.text);
    expect(its?.logprobs).toEqual(mine?.logprobs);
    expect((await here.metrics()).engineProcess).toBeUndefined();
    const { engineProcess } = await there.metrics();
    expect(engineProcess?.processId).not.toBe(process.pid);
    expect(engineProcess?.restarts).toBe(0);
    expect(engineProcess?.memoryBytes).toBeGreaterThan(50e6);
    expect(there.metadata).toEqual(here.metadata);
  });

  it('tokenizes only asynchronously', async () => {
    const model = await load();
    expect(() => model.tokenizeSync('Hi')).toThrow(expect.objectContaining({ code: 'NOT_IN_PROCESS' }));
    expect(await model.tokenize('Hi')).toHaveLength(1);
  });

  it('ends its process when it is closed, and fails what is in flight with CLOSED', async () => {
    const model = await load();
    const processId = await engineOf(model);
    const generation = await running(model);
    await model.close();
    await expect(generation.result).rejects.toMatchObject({ code: 'CLOSED' });
    expect(isRunning(processId)).toBe(false);
    await expect(model.tokenize('x')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('passes errors on with their codes', async () => {
    const model = await load();
    await expect(model.generate('x '.repeat(2000)).result).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
    await expect(model.detokenize([10_000_000])).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    await expect(model.generate('x', { grammar: 'root ::= (' }).result).rejects.toMatchObject({
      code: 'INVALID_GRAMMAR',
    });
    await expect(model.createSampler({ logitBias: { 10000000: 1 } })).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it('leaves no process behind when the model cannot be loaded', async () => {
    const before = childrenOf().length;
    const file = join(directory, 'broken.gguf');
    await writeFile(file, 'GGUF and nothing more');
    await expect(load({})).resolves.toBeDefined();
    await expect(loadModel(file, { isolate: true })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
    await expect(loadModel(path, { isolate: true, contextSize: 2 ** 30 })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
    const signal = AbortSignal.timeout(60);
    await expect(loadModel(path, { isolate: true, memoryMap: false, signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(childrenOf()).toHaveLength(before + 1);
  });

  it('shows the progress of its load, and lets a listener end it', async () => {
    const fractions: number[] = [];
    await load({ onProgress: (progress) => progress.stage === 'load' && fractions.push(progress.fraction) });
    expect(fractions.at(-1)).toBe(1);
    const failing = load({
      onProgress: () => {
        throw new Error('mine');
      },
    });
    await expect(failing).rejects.toThrow('mine');
  });

  it('is collected with its process when it is forgotten', async () => {
    const processId = await engineOf(await loadModel(path, { isolate: true, contextSize: 256 }));
    for (let round = 0; round < 50 && isRunning(processId); round++) await collectGarbage();
    expect(isRunning(processId)).toBe(false);
  });

  it('runs in a worker thread, and ends with it', async () => {
    const library = new URL('../../dist/index.js', import.meta.url);
    const source = `
      import { parentPort } from 'node:worker_threads';
      import { loadModel } from ${JSON.stringify(library.href)};
      const model = await loadModel(${JSON.stringify(path)}, { isolate: true, contextSize: 256 });
      const { tokens } = await model.generate('Hi', { maxTokens: 5 }).result;
      const { engineProcess } = await model.metrics();
      parentPort.postMessage({ count: tokens.length, processId: engineProcess.processId });
      setInterval(() => {}, 1000);`;
    const file = join(directory, 'worker.mjs');
    await writeFile(file, source);
    const worker = new Worker(file);
    const { count, processId } = await new Promise<{ count: number; processId: number }>(
      (resolve, reject) => {
        worker.on('message', resolve);
        worker.on('error', reject);
      },
    );
    expect(count).toBe(5);
    expect(isRunning(processId)).toBe(true);
    await worker.terminate();
    expect(await untilGone(processId)).toBeLessThan(1000);
  });

  it('refuses options that are none', async () => {
    for (const isolate of [
      1,
      'yes',
      { memory: 1 },
      { hangTimeoutMs: 5 },
      { crashLimit: 0 },
      { execPath: 7 },
    ]) {
      await expect(loadModel(path, { isolate: isolate as never })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
  });
});

describe('when the process of a model dies', () => {
  it.each(['SIGKILL', 'SIGABRT', 'SIGSEGV'] as const)(
    'of %s, calls in flight fail and later ones work',
    async (signal) => {
      const model = await load({ sequences: 2 });
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
    const model = await load();
    const chat = model.createChat({ temperature: 0, maxTokens: 20 });
    await chat.send('Hello!').result;
    await crashEngine(model);
    const { usage, text } = await chat.send('Say that again.').result;
    expect(usage.cachedTokens).toBe(0);
    expect(chat.history).toHaveLength(4);

    // As the same conversation is answered where all of it is read at once.
    const other = await load();
    const { text: expected } = await other.chat(chat.history.slice(0, 3), { temperature: 0, maxTokens: 20 })
      .result;
    expect(text).toBe(expected);
  });

  it('in the middle of an answer, the chat may be asked again', async () => {
    const model = await load();
    const chat = model.createChat({ temperature: 0, maxTokens: 200 });
    const answer = chat.send('Tell me a long story.');
    const failing = answer.result.catch((error: unknown) => error);
    for await (const part of answer.textStream) {
      if (part !== '') break;
    }
    // Leaving the loop stopped the answer; the next one is interrupted.
    await failing;
    const next = chat.send('Another one.');
    setTimeout(async () => process.kill(await engineOf(model), 'SIGKILL'), 100);
    await expect(next.result).rejects.toMatchObject({ code: 'ENGINE_CRASHED' });
    expect((await chat.send('Short, please.', { maxTokens: 5 }).result).text).not.toBe('');
  });

  it('prefixes that were given up before come back from memory', async () => {
    const model = await load({ contextSize: 512, prefixCache: { memoryBytes: 64e6 } });
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
    const model = await load({ sequences: 1 });
    const processId = await engineOf(model);
    const first = await running(model);
    const waiting = model.generate('I wait', { maxTokens: 3, ignoreEndOfSequence: true });
    while ((await model.metrics()).waiting === 0) await delay(5);
    process.kill(processId, 'SIGKILL');
    await expect(first.result).rejects.toMatchObject({ code: 'ENGINE_CRASHED' });
    expect((await waiting.result).tokens).toHaveLength(3);
  });

  it('contexts and samplers of the low level say that they are lost', async () => {
    const model = await load();
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
    const model = await load({ isolate: { crashLimit: 3 } });
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
    const model = await load({ isolate: { reportPrompts: true } });
    const reports = crashesOf(model);
    const generation = await running(model);
    process.kill(await engineOf(model), 'SIGKILL');
    await generation.result.catch(() => {});
    expect(reports[0]?.interrupted[0]?.promptTokens).toEqual(await model.tokenize('Once upon a time'));
  });
});

describe('a model whose process hangs', () => {
  it('is found by its silence, and replaced', async () => {
    const model = await load({ isolate: { hangTimeoutMs: 500 } });
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
    const model = await load({ isolate: { hangTimeoutMs: 300 } });
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
    const handle = await addon.loadModel(path, options, addon.createCancelFlag(), () => {});
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
    const model = await load();
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

describe('the memory of an isolated model', () => {
  it('is bounded', async () => {
    const model = await load({ isolate: { memoryLimitBytes: 120e6 } });
    const generation = model.generate('Once', { maxTokens: 900, ignoreEndOfSequence: true });
    await expect(generation.result).rejects.toMatchObject({
      code: 'ENGINE_CRASHED',
      details: { reason: 'memory-limit' },
    });
  });
});

describe('a process that cannot run an engine', () => {
  async function script(name: string, text: string): Promise<string> {
    const file = join(directory, name);
    await writeFile(file, `#!/bin/sh\n${text}\n`);
    await chmod(file, 0o755);
    return file;
  }

  async function failure(execPath: string): Promise<unknown> {
    return loadModel(path, { isolate: { execPath } }).catch((error: unknown) => error);
  }

  it('because there is no such program, or it may not be executed', async () => {
    const plain = join(directory, 'plain');
    await writeFile(plain, 'no program');
    for (const execPath of [join(directory, 'nowhere'), plain, directory]) {
      const error = await failure(execPath);
      expect(error).toBeInstanceOf(EngineStartError);
      expect(error).toMatchObject({ code: 'ENGINE_START_FAILED', details: { execPath } });
    }
  });

  it('because it is another program, tells what that said', async () => {
    const error = await failure(await script('other', 'echo "other: no such option" >&2; exit 3'));
    expect(error).toMatchObject({ code: 'ENGINE_START_FAILED', details: { exitCode: 3 } });
    expect(String(error)).toContain('other: no such option');
  });

  it('because it sends garbage, is ended', async () => {
    const before = childrenOf();
    const error = await failure(await script('garbage', 'head -c 100000 /dev/urandom >&3; sleep 60'));
    expect(error).toMatchObject({ code: 'ENGINE_START_FAILED', details: { reason: 'garbage' } });
    expect(childrenOf()).toEqual(before);
  });

  it('any more, because it sends garbage in the middle of its work, is replaced', async () => {
    const hook = join(directory, 'hook.mjs');
    await writeFile(
      hook,
      "import { writeSync } from 'node:fs'; process.on('SIGUSR2', () => writeSync(3, 'x'.repeat(5000)));",
    );
    const execPath = await script('hooked', `exec ${process.execPath} --import ${hook} "$@"`);
    const model = await load({ isolate: { execPath } });
    const reports = crashesOf(model);
    const generation = await running(model);
    process.kill(await engineOf(model), 'SIGUSR2');
    await expect(generation.result).rejects.toMatchObject({
      code: 'ENGINE_CRASHED',
      details: { reason: 'garbage' },
    });
    expect(reports).toHaveLength(1);
    expect((await model.generate('Hi', { maxTokens: 2 }).result).tokens.length).toBeGreaterThan(0);
  });

  it('because there are too many already, and the others go on', async () => {
    const before = childrenOf();
    const loads = await Promise.allSettled(
      Array.from({ length: 200 }, () => loadModel(path, { isolate: true, vocabOnly: true })),
    );
    const models = loads.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const refused = loads.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(models.length).toBe(64);
    for (const error of refused) expect(error).toMatchObject({ code: 'ENGINE_START_FAILED' });
    const tokens = await Promise.all(models.map((model) => model.tokenize('Hi')));
    expect(tokens).toHaveLength(64);
    await Promise.all(models.map((model) => model.close()));
    expect(childrenOf()).toEqual(before);
  }, 120_000);
});

describe('the process of a model', () => {
  const program = `
    import { loadModel } from 'llama-native';
    const model = await loadModel(process.env.MODEL, { isolate: true, contextSize: 1024, threads: 1 });
    const { engineProcess } = await model.metrics();
    console.log(engineProcess.processId);
    const generation = model.generate('Once', { maxTokens: 900, ignoreEndOfSequence: true });
    for await (const chunk of generation) break_();
    function break_() { ACTION }`;

  it.each([
    ['is killed', "process.kill(process.pid, 'SIGKILL');"],
    ['exits', 'process.exit(7);'],
    ['aborts', 'process.abort();'],
    ['throws', "throw new Error('mine');"],
    ['is asked to end', "process.kill(process.pid, 'SIGTERM');"],
  ])('is gone within a second when the program %s', async (_name, action) => {
    const { stdout } = await runProgram(program.replace('ACTION', action), path);
    const processId = Number(stdout.trim());
    expect(processId).toBeGreaterThan(0);
    expect(await untilGone(processId)).toBeLessThan(1000);
  });

  it('is gone even if it was stopped when the program is killed', async () => {
    const action =
      "process.kill(engineProcess.processId, 'SIGSTOP'); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);";
    const { stdout } = await runProgram(program.replace('ACTION', action), path);
    expect(await untilGone(Number(stdout.trim()))).toBeLessThan(1000);
  });

  it('does not keep a program alive that has nothing to do', async () => {
    const idle = await runProgram(
      `import { loadModel } from 'llama-native';
      const model = await loadModel(process.env.MODEL, { isolate: true, contextSize: 256 });
      console.log((await model.generate('Hi', { maxTokens: 3, ignoreEndOfSequence: true }).result).tokens.length);`,
      path,
    );
    expect(idle).toMatchObject({ exitCode: 0, signal: null, stdout: '3\n', stderr: '' });
  });

  it('is waited for by a program that closes the model', async () => {
    const closing = await runProgram(
      `import { loadModel } from 'llama-native';
      const model = await loadModel(process.env.MODEL, { isolate: true, contextSize: 256 });
      await model.close();
      console.log('closed');`,
      path,
    );
    expect(closing).toMatchObject({ exitCode: 0, signal: null, stdout: 'closed\n', stderr: '' });
  });

  it('lives through what a terminal sends to both', async () => {
    const model = await load();
    const processId = await engineOf(model);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(processId, signal);
    await delay(50);
    expect((await model.generate('Hi', { maxTokens: 2 }).result).tokens.length).toBeGreaterThan(0);
    expect(await engineOf(model)).toBe(processId);
  });
});

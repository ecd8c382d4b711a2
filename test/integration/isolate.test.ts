import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../lib/index.js';
import { childrenOf, engineOf, isRunning, untilGone } from '../helpers/engine-crashes.js';
import { running, useIsolatedModels } from '../helpers/isolated-models.js';
import { collectGarbage } from '../helpers/process-figures.js';

const models = useIsolatedModels();

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-isolate-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('an isolated model', () => {
  it('says the same as one in this process, and runs in another', async () => {
    const [here, there] = [await models.load({ isolate: false }), await models.load()];
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
    const model = await models.load();
    expect(() => model.tokenizeSync('Hi')).toThrow(expect.objectContaining({ code: 'NOT_IN_PROCESS' }));
    expect(await model.tokenize('Hi')).toHaveLength(1);
  });

  it('ends its process when it is closed, and fails what is in flight with CLOSED', async () => {
    const model = await models.load();
    const processId = await engineOf(model);
    const generation = await running(model);
    await model.close();
    await expect(generation.result).rejects.toMatchObject({ code: 'CLOSED' });
    expect(isRunning(processId)).toBe(false);
    await expect(model.tokenize('x')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('passes errors on with their codes', async () => {
    const model = await models.load();
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
    await expect(models.load({})).resolves.toBeDefined();
    await expect(loadModel(file, { isolate: true })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
    await expect(loadModel(models.path, { isolate: true, contextSize: 2 ** 30 })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
    const signal = AbortSignal.timeout(60);
    await expect(loadModel(models.path, { isolate: true, memoryMap: false, signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(childrenOf()).toHaveLength(before + 1);
  });

  it('shows the progress of its load, and lets a listener end it', async () => {
    const fractions: number[] = [];
    await models.load({
      onProgress: (progress) => progress.stage === 'load' && fractions.push(progress.fraction),
    });
    expect(fractions.at(-1)).toBe(1);
    const failing = models.load({
      onProgress: () => {
        throw new Error('mine');
      },
    });
    await expect(failing).rejects.toThrow('mine');
  });

  it('is collected with its process when it is forgotten', async () => {
    const processId = await engineOf(await loadModel(models.path, { isolate: true, contextSize: 256 }));
    for (let round = 0; round < 50 && isRunning(processId); round++) await collectGarbage();
    expect(isRunning(processId)).toBe(false);
  });

  it('runs in a worker thread, and ends with it', async () => {
    const library = new URL('../../dist/index.js', import.meta.url);
    const source = `
      import { parentPort } from 'node:worker_threads';
      import { loadModel } from ${JSON.stringify(library.href)};
      const model = await loadModel(${JSON.stringify(models.path)}, { isolate: true, contextSize: 256 });
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
      await expect(loadModel(models.path, { isolate: isolate as never })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
  });
});

describe('the memory of an isolated model', () => {
  it('is bounded', async () => {
    const model = await models.load({ isolate: { memoryLimitBytes: 120e6 } });
    const generation = model.generate('Once', { maxTokens: 900, ignoreEndOfSequence: true });
    await expect(generation.result).rejects.toMatchObject({
      code: 'ENGINE_CRASHED',
      details: { reason: 'memory-limit' },
    });
  });
});

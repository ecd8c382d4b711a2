import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineStartError, loadModel } from '../../lib/index.js';
import { childrenOf, engineOf, untilGone } from '../helpers/engine-crashes.js';
import { crashesOf, running, useIsolatedModels } from '../helpers/isolated-models.js';
import { runProgram } from '../helpers/run-program.js';

const models = useIsolatedModels();

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-isolate-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('a process that cannot run an engine', () => {
  async function script(name: string, text: string): Promise<string> {
    const file = join(directory, name);
    await writeFile(file, `#!/bin/sh\n${text}\n`);
    await chmod(file, 0o755);
    return file;
  }

  async function failure(execPath: string): Promise<unknown> {
    return loadModel(models.path, { isolate: { execPath } }).catch((error: unknown) => error);
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
    const model = await models.load({ isolate: { execPath } });
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
      Array.from({ length: 200 }, () => loadModel(models.path, { isolate: true, vocabOnly: true })),
    );
    const loaded = loads.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const refused = loads.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(loaded.length).toBe(64);
    for (const error of refused) expect(error).toMatchObject({ code: 'ENGINE_START_FAILED' });
    const tokens = await Promise.all(loaded.map((model) => model.tokenize('Hi')));
    expect(tokens).toHaveLength(64);
    await Promise.all(loaded.map((model) => model.close()));
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
    const { stdout } = await runProgram(program.replace('ACTION', action), models.path);
    const processId = Number(stdout.trim());
    expect(processId).toBeGreaterThan(0);
    expect(await untilGone(processId)).toBeLessThan(1000);
  });

  it('is gone even if it was stopped when the program is killed', async () => {
    const action =
      "process.kill(engineProcess.processId, 'SIGSTOP'); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);";
    const { stdout } = await runProgram(program.replace('ACTION', action), models.path);
    expect(await untilGone(Number(stdout.trim()))).toBeLessThan(1000);
  });

  it('does not keep a program alive that has nothing to do', async () => {
    const idle = await runProgram(
      `import { loadModel } from 'llama-native';
      const model = await loadModel(process.env.MODEL, { isolate: true, contextSize: 256 });
      console.log((await model.generate('Hi', { maxTokens: 3, ignoreEndOfSequence: true }).result).tokens.length);`,
      models.path,
    );
    expect(idle).toMatchObject({ exitCode: 0, signal: null, stdout: '3\n', stderr: '' });
  });

  it('is waited for by a program that closes the model', async () => {
    const closing = await runProgram(
      `import { loadModel } from 'llama-native';
      const model = await loadModel(process.env.MODEL, { isolate: true, contextSize: 256 });
      await model.close();
      console.log('closed');`,
      models.path,
    );
    expect(closing).toMatchObject({ exitCode: 0, signal: null, stdout: 'closed\n', stderr: '' });
  });

  it('lives through what a terminal sends to both', async () => {
    const model = await models.load();
    const processId = await engineOf(model);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(processId, signal);
    await delay(50);
    expect((await model.generate('Hi', { maxTokens: 2 }).result).tokens.length).toBeGreaterThan(0);
    expect(await engineOf(model)).toBe(processId);
  });
});

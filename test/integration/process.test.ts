import { beforeAll, describe, expect, it } from 'vitest';
import { testModelPath } from '../helpers/model.js';
import { runProgram } from '../helpers/run-program.js';

let model: string;
beforeAll(async () => {
  model = await testModelPath();
});

const load = `
import { loadModel } from 'llama-native';
const options = { contextSize: 512, threads: 1 };
`;

describe('a process that uses the library', () => {
  it('ends by itself after close, and stays alive while it generates', async () => {
    const result = await runProgram(
      `${load}
      const model = await loadModel(process.env.MODEL, options);
      model.generate('Hi', { maxTokens: 5 }).result.then(async ({ tokens }) => {
        console.log(tokens.length);
        await model.close();
      });`,
      model,
    );
    expect(result).toMatchObject({ exitCode: 0, signal: null, stdout: '5\n' });
  });

  it('outlives the close of an isolated engine that it waits for', async () => {
    const result = await runProgram(
      `${load}
      const model = await loadModel(process.env.MODEL, { ...options, isolate: true });
      await model.close();
      console.log('closed');`,
      model,
    );
    expect(result).toMatchObject({ exitCode: 0, signal: null, stdout: 'closed\n' });
  });

  it('ends by itself though nothing was closed', async () => {
    const result = await runProgram(
      `${load}
      const model = await loadModel(process.env.MODEL, options);
      await model.generate('Hi', { maxTokens: 5 }).result;
      console.log('done');`,
      model,
    );
    expect(result).toMatchObject({ exitCode: 0, signal: null, stdout: 'done\n' });
  });

  it.each([
    [
      'while it generates',
      `model.generate('Hi', { maxTokens: 400 }); setTimeout(() => process.exit(7), 200);`,
    ],
    ['during a long prompt', `model.generate('word '.repeat(400)); setTimeout(() => process.exit(7), 50);`],
    ['while it closes', `model.close(); process.exit(7);`],
    ['during an evaluation', `(await model.createContext()).eval(new Int32Array(400)); process.exit(7);`],
    [
      'while another model loads',
      `loadModel(process.env.MODEL, options); setTimeout(() => process.exit(7), 5);`,
    ],
  ])('exits with its own code %s', async (_name, action) => {
    const result = await runProgram(
      `${load}
      const model = await loadModel(process.env.MODEL, options);
      ${action}`,
      model,
    );
    expect(result).toMatchObject({ exitCode: 7, signal: null });
    expect(result.stderr).toBe('');
  });

  it('dies of an uncaught exception as any Node.js process does', async () => {
    const result = await runProgram(
      `${load}
      const model = await loadModel(process.env.MODEL, options);
      for await (const chunk of model.generate('Hi', { maxTokens: 400 })) throw new Error('mine');`,
      model,
    );
    expect(result).toMatchObject({ exitCode: 1, signal: null });
    expect(result.stderr).toContain('Error: mine');
  });

  it('collects models that were forgotten, with all their memory', async () => {
    const result = await runProgram(
      `${load}
      const round = async () => {
        const model = await loadModel(process.env.MODEL, { ...options, memoryMap: false });
        await model.generate('Hi', { maxTokens: 2 }).result;
      };
      const megabytes = () => process.memoryUsage().rss / 1e6;
      // Collection, closing and freeing happen one after the other on several threads; on a busy machine that takes a while.
      const settleBelow = async (limit) => {
        for (let i = 0; i < 200 && (i < 5 || megabytes() > limit); i++) {
          globalThis.gc();
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      };
      await round();
      await settleBelow(0);
      const before = megabytes();
      for (let i = 0; i < 6; i++) await round();
      await settleBelow(before + 100);
      console.log(Math.round(megabytes() - before));`,
      model,
      ['--expose-gc'],
    );
    expect(result).toMatchObject({ exitCode: 0, signal: null });
    expect(Number(result.stdout)).toBeLessThan(101); // six forgotten models would be 600 MB and more
  });

  it('runs models in worker threads, several at once, and survives their termination', async () => {
    const result = await runProgram(
      `import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      ${load}
      if (isMainThread) {
        const start = (mode) => new Promise((resolve, reject) => {
          const worker = new Worker(fileURLToPath(import.meta.url), { workerData: mode });
          worker.on('message', (message) => {
            if (mode === 'endless') worker.terminate().then(() => resolve('terminated'));
            else resolve(message);
          });
          worker.on('error', reject);
        });
        const model = await loadModel(process.env.MODEL, options);
        console.log(JSON.stringify(await Promise.all([start('short'), start('short'), start('endless'), start('endless')])));
        const { tokens } = await model.generate('Hi', { maxTokens: 5 }).result;
        console.log(tokens.length);
        await model.close();
      } else {
        const model = await loadModel(process.env.MODEL, options);
        if (workerData === 'short') {
          const { tokens } = await model.generate('Hi', { temperature: 0, maxTokens: 5 }).result;
          parentPort.postMessage(tokens.length);
        } else {
          for await (const chunk of model.generate('Hi', { maxTokens: 400, ignoreEndOfSequence: true })) parentPort.postMessage(1);
        }
      }`,
      model,
    );
    expect(result.stderr).toBe('');
    expect(result).toMatchObject({
      exitCode: 0,
      signal: null,
      stdout: '[5,5,"terminated","terminated"]\n5\n',
    });
  });

  it('survives the end of the only worker thread that used the addon, at any moment', async () => {
    const result = await runProgram(
      `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      if (isMainThread) {
        for (const delay of [0, 3, 30, 120]) {
          const worker = new Worker(fileURLToPath(import.meta.url));
          await new Promise((resolve) => worker.once('message', resolve));
          await new Promise((resolve) => setTimeout(resolve, delay));
          await worker.terminate();
        }
        console.log('alive');
      } else {
        const { loadModel } = await import('llama-native');
        const model = await loadModel(process.env.MODEL, { contextSize: 512, threads: 1 });
        parentPort.postMessage(1);
        for (;;) {
          const texts = Promise.all(Array.from({ length: 20 }, (_, n) => model.tokenize('text ' + n)));
          await model.generate('Hi', { maxTokens: 3 }).result;
          await texts;
        }
      }`,
      model,
    );
    expect(result).toMatchObject({ exitCode: 0, signal: null, stdout: 'alive\n' });
  });

  it('makes tokens while its JavaScript thread is busy', async () => {
    const result = await runProgram(
      `${load}
      const model = await loadModel(process.env.MODEL, options);
      const generation = model.generate('Hi', { maxTokens: 400, ignoreEndOfSequence: true });
      for await (const chunk of generation) break;
      const running = model.generate('Hello', { maxTokens: 400, ignoreEndOfSequence: true });
      const reader = running[Symbol.asyncIterator]();
      await reader.next();
      const until = Date.now() + 1500;
      while (Date.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await reader.return();
      console.log((await running.result).usage.completionTokens);
      await model.close();`,
      model,
    );
    expect(result.exitCode).toBe(0);
    expect(Number(result.stdout)).toBeGreaterThan(5);
  });

  describe('with chat templates that would be rendered for hours', () => {
    const templates = `
      const template = '{% for a in range(99999) %}{% for b in range(99999) %}{{ [a, b] | join }}{% endfor %}{% endfor %}';
      const render = (model) => model.applyChatTemplate([{ role: 'user', content: 'Hi' }], { template });`;

    it('fails the call before ten seconds are over, and the chat goes on', async () => {
      const result = await runProgram(
        `${load}${templates}
        const model = await loadModel(process.env.MODEL, options);
        const chat = model.createChat({ maxTokens: 4 });
        const begin = performance.now();
        const code = await chat.send('Hi', { template }).result.catch((error) => error.code);
        const seconds = (performance.now() - begin) / 1000;
        console.log(code, seconds < 10);
        console.log((await chat.send('Hi').result).text.length > 0, chat.history.length);
        process.exit(0);`,
        model,
      );
      expect(result).toMatchObject({
        exitCode: 0,
        stdout: 'CHAT_TEMPLATE_FAILED true\ntrue 2\n',
        stderr: '',
      });
    });

    it('exits within seconds all the same, with its own code, though some of them have not even begun', async () => {
      const result = await runProgram(
        `${load}${templates}
        const model = await loadModel(process.env.MODEL, options);
        for (let i = 0; i < 20; i++) render(model);
        setTimeout(() => {
          const begin = performance.now();
          process.on('exit', () => console.log(performance.now() - begin));
          process.exit(7);
        }, 100);`,
        model,
      );
      expect(result).toMatchObject({ exitCode: 7, signal: null, stderr: '' });
      expect(Number(result.stdout)).toBeLessThan(6000);
    });

    it('lets a worker thread be terminated, and goes on', async () => {
      const result = await runProgram(
        `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
        import { fileURLToPath } from 'node:url';
        ${load}${templates}
        const model = await loadModel(process.env.MODEL, options);
        if (isMainThread) {
          const worker = new Worker(fileURLToPath(import.meta.url));
          await new Promise((resolve) => worker.once('message', resolve));
          const begin = performance.now();
          await worker.terminate();
          console.log(performance.now() - begin < 6000 ? 'soon' : 'late');
          const { tokens } = await model.generate('Hi', { maxTokens: 5, ignoreEndOfSequence: true }).result;
          console.log(tokens.length);
          await model.close();
        } else {
          for (let i = 0; i < 2; i++) render(model);
          setTimeout(() => parentPort.postMessage('rendering'), 100);
        }`,
        model,
      );
      expect(result).toMatchObject({ exitCode: 0, signal: null, stdout: 'soon\n5\n', stderr: '' });
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LogitsProcessor, loadModel, type Model } from '../../lib/index.js';
import { testModelPath } from '../helpers/model.js';
import { runProgram } from '../helpers/run-program.js';

const prompt = 'Once upon a time';
const greedy = { temperature: 0, ignoreEndOfSequence: true } as const;

let model: Model;

beforeAll(async () => {
  model = await loadModel(await testModelPath(), { contextSize: 2048, sequences: 4, threads: 1 });
});
afterAll(async () => {
  await model.close();
});

function generate(logitsProcessor: LogitsProcessor, options: object = {}) {
  return model.generate(prompt, { ...greedy, maxTokens: 6, logitsProcessor, ...options });
}

function setLogit(logits: Float32Array, token: number, value: number): void {
  logits[token] = value;
}

/** A promise that the test settles. */
function createGate(): { promise: Promise<void>; open: () => void } {
  let open: () => void = () => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a logits processor', () => {
  it('sees the logits of each token with the tokens before it, and changes nothing by itself', async () => {
    const plain = await model.generate(prompt, { ...greedy, maxTokens: 6, logprobs: 0 }).result;
    const seen: { tokens: number[]; best: number }[] = [];
    const result = await generate(
      (logits, tokens) => {
        expect(logits).toHaveLength(model.metadata.vocabularySize);
        seen.push({ tokens: [...tokens], best: logits.indexOf(logits.reduce((a, b) => Math.max(a, b))) });
      },
      { logprobs: 0 },
    ).result;
    expect(result.tokens).toEqual(plain.tokens);
    expect(result.logprobs).toEqual(plain.logprobs);
    const promptTokens = [...(await model.tokenize(prompt))];
    expect(seen).toEqual(
      plain.tokens.map((best, index) => ({
        tokens: [...promptTokens, ...plain.tokens.slice(0, index)],
        best,
      })),
    );
  });

  it.each([
    ['changes logits in place', (logits: Float32Array) => setLogit(logits, 260, 1000)],
    [
      'returns others',
      (logits: Float32Array) => Float32Array.from(logits, (_, token) => (token === 260 ? 1 : 0)),
    ],
    ['does so later', async (logits: Float32Array) => sleep(2).then(() => setLogit(logits, 260, 1000))],
  ] as [string, LogitsProcessor][])('decides when it %s', async (_, processor) => {
    expect((await generate(processor).result).tokens).toEqual(Array(6).fill(260));
  });

  it('comes before all other steps, a grammar and log-probabilities of the model', async () => {
    const [seven = 0] = await model.tokenize('7', { addSpecial: false });
    const options = {
      grammar: 'root ::= [0-9]{4}',
      logprobs: 1,
      repeatPenalty: 1.1,
      temperature: 1,
      seed: 1,
    };
    const result = await generate((logits) => setLogit(logits, seven, 1e6), options).result;
    expect(result.text).toBe('7777');
    for (const { logprob } of result.logprobs ?? []) expect(logprob).toBeLessThan(-0.01);
  });

  it('holds up nobody else', async () => {
    const gate = createGate();
    const held = generate(() => gate.promise, { maxTokens: 1 });
    const others = [1, 2, 3].map((seed) =>
      model.generate('The', { seed, maxTokens: 20, ignoreEndOfSequence: true }),
    );
    const results = await Promise.all(others.map(({ result }) => result));
    for (const { tokens } of results) expect(tokens).toHaveLength(20);
    gate.open();
    expect((await held.result).tokens).toHaveLength(1);
  });

  it('leaves the native thread asleep while all wait for JavaScript', async () => {
    const [asked, answer] = [createGate(), createGate()];
    const held = generate(
      () => {
        asked.open();
        return answer.promise;
      },
      { maxTokens: 1 },
    );
    await asked.promise;
    await sleep(50);
    const before = process.cpuUsage();
    await sleep(400);
    const { user, system } = process.cpuUsage(before);
    answer.open();
    await held.result;
    expect((user + system) / 1000).toBeLessThan(200);
  });

  it.each([
    [
      'throws',
      () => {
        throw new TypeError('no');
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('no'))],
  ] as [string, LogitsProcessor][])(
    'that %s fails its own generation, with the cause',
    async (_, processor) => {
      const neighbour = model.generate('The', { ...greedy, maxTokens: 10 });
      const error = await generate(processor).result.catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'LOGITS_PROCESSOR_FAILED',
        message: expect.stringContaining('no') as string,
      });
      expect((error as Error).cause).toBeInstanceOf(TypeError);
      expect((await neighbour.result).tokens).toHaveLength(10);
    },
  );

  it.each([
    ['too few numbers', () => new Float32Array(3)],
    ['other numbers', () => [1, 2, 3]],
    ['numbers of another type', (logits: Float32Array) => Float64Array.from(logits)],
    ['NaN', (logits: Float32Array) => void logits.fill(Number.NaN)],
    ['one NaN', (logits: Float32Array) => setLogit(logits, 5, Number.NaN)],
    ['infinity', (logits: Float32Array) => setLogit(logits, 5, Number.POSITIVE_INFINITY)],
    ['nothing that may come', (logits: Float32Array) => void logits.fill(Number.NEGATIVE_INFINITY)],
    ['a text', () => 'logits'],
  ] as unknown as [string, LogitsProcessor][])('that gives back %s fails', async (_, processor) => {
    await expect(generate(processor).result).rejects.toMatchObject({ code: 'LOGITS_PROCESSOR_FAILED' });
    expect((await generate(() => {}).result).tokens).toHaveLength(6);
  });

  it('that takes its buffer away fails', async () => {
    const result = generate(
      (logits) => void structuredClone(logits, { transfer: [logits.buffer as ArrayBuffer] }),
    ).result;
    await expect(result).rejects.toMatchObject({ code: 'LOGITS_PROCESSOR_FAILED' });
  });

  it('may be cancelled while it thinks, by a signal, by leaving the loop and by closing', async () => {
    const never = () => new Promise<void>(() => {});
    const signal = AbortSignal.timeout(30);
    await expect(generate(never, { signal }).result).rejects.toMatchObject({ code: 'ABORTED' });
    const gate = createGate();
    let calls = 0;
    const left = generate(() => (++calls < 3 ? undefined : gate.promise));
    for await (const _ of left) break;
    gate.open();
    expect((await left.result).finishReason).toBe('cancelled');
    const own = await loadModel(await testModelPath(), { contextSize: 256, threads: 1 });
    const late = createGate();
    const open = own.generate(prompt, { logitsProcessor: () => late.promise });
    await sleep(50);
    await own.close();
    late.open();
    await expect(open.result).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('is refused if it is no function', () => {
    expect(() => generate(5 as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  const program = (body: string) => `
    import { loadModel } from 'llama-native';
    import { Worker, isMainThread } from 'node:worker_threads';
    ${body}
  `;

  it('does not keep the process from ending with process.exit() in the middle of a call', async () => {
    const { exitCode, stdout } = await runProgram(
      program(`
        const model = await loadModel(process.env.MODEL, { contextSize: 256, threads: 1 });
        model.generate('x', { logitsProcessor: () => { console.log('asked'); setTimeout(() => process.exit(7), 20); return new Promise(() => {}); } });
      `),
      await testModelPath(),
    );
    expect({ exitCode, stdout: stdout.trim() }).toEqual({ exitCode: 7, stdout: 'asked' });
  });

  it('does not harm a worker thread that is terminated in the middle of a call', async () => {
    const { exitCode, stdout } = await runProgram(
      program(`
        if (isMainThread) {
          const worker = new Worker(new URL(import.meta.url));
          worker.on('message', async () => { await worker.terminate(); console.log('terminated'); });
        } else {
          const { parentPort } = await import('node:worker_threads');
          const model = await loadModel(process.env.MODEL, { contextSize: 256, threads: 1 });
          model.generate('x', { logitsProcessor: () => { parentPort.postMessage('asked'); return new Promise(() => {}); } });
        }
      `),
      await testModelPath(),
    );
    expect({ exitCode, stdout: stdout.trim() }).toEqual({ exitCode: 0, stdout: 'terminated' });
  });
});

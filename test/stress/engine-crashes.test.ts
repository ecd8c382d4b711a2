import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Generation, LlamaNativeError, loadModel, type Model } from '../../lib/index.js';
import { childrenOf, crashEngine, engineOf } from '../helpers/engine-crashes.js';
import { Random } from '../helpers/gguf-random.js';
import { testModelPath } from '../helpers/model.js';
import { residentMegabytes, settleHoldings } from '../helpers/process-figures.js';

const crashes = Number(process.env.LLAMA_NATIVE_CRASHES ?? 50);
const streams = 8;

let model: Model;
beforeAll(async () => {
  model = await loadModel(await testModelPath(), { isolate: true, sequences: streams, contextSize: 2048 });
});
afterAll(() => model.close());

/** Iterates a generation to its end; tells how it ended and when. */
async function follow(generation: Generation): Promise<{ readonly code: string; readonly at: number }> {
  try {
    for await (const _ of generation);
    return { code: 'finished', at: performance.now() };
  } catch (error) {
    return { code: LlamaNativeError.isInstance(error) ? error.code : String(error), at: performance.now() };
  }
}

async function answerOnce(): Promise<void> {
  const { tokens } = await model.generate('Hello', { maxTokens: 3, ignoreEndOfSequence: true }).result;
  expect(tokens).toHaveLength(3);
}

it(`an engine that is killed ${crashes} times under ${streams} streams costs nothing but their answers`, async () => {
  const random = new Random(1);
  // Two rounds first: what is made once and kept is no leak.
  for (let round = 0; round < 2; round++) {
    await answerOnce();
    await crashEngine(model);
  }
  await answerOnce();
  const children = childrenOf().length;
  const holdings = await settleHoldings({ threads: 0, files: 0 });
  const memory = await residentMegabytes();
  const delays: number[] = [];

  for (let round = 0; round < crashes; round++) {
    const processId = await engineOf(model);
    const followed = Array.from({ length: streams }, (_, index) =>
      follow(model.generate(`Story ${index}: `, { maxTokens: 240, ignoreEndOfSequence: true, seed: index })),
    );
    await delay(random.below(250)); // in prompts, in the midst of answers, before anything was sent
    const killed = performance.now();
    process.kill(processId, 'SIGKILL');
    for (const { code, at } of await Promise.all(followed)) {
      expect(code).toBe('ENGINE_CRASHED');
      delays.push(at - killed);
    }
    await answerOnce();
  }

  expect((await model.metrics()).engineProcess?.restarts).toBe(crashes + 2);
  delays.sort((a, b) => a - b);
  const worst = delays.at(-1) ?? 0;
  console.log(
    `streams ended after ${delays[delays.length >> 1]?.toFixed(1)} ms in the middle, ${worst.toFixed(1)} ms at worst`,
  );
  expect(worst).toBeLessThan(100);
  expect(childrenOf()).toHaveLength(children);
  const { threads, files } = await settleHoldings(holdings);
  expect(threads).toBeLessThanOrEqual(holdings.threads);
  expect(files).toBeLessThanOrEqual(holdings.files);
  expect((await residentMegabytes()) - memory).toBeLessThan(25);
}, 600_000);

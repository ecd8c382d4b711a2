import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type Model } from '../../lib/index.js';
import { Random } from '../helpers/gguf-random.js';
import {
  countHoldings,
  type Holdings,
  residentMegabytes,
  settleHoldings,
} from '../helpers/process-figures.js';
import { makeRequest } from '../helpers/soak-requests.js';
import { writeTinyGenerator } from '../helpers/tiny-generator.js';
import { type WatchedContext, watchContext } from '../helpers/watched-sequences.js';

/** `npm run soak` makes more. */
const requestCount = Number(process.env.LLAMA_NATIVE_SOAK_REQUESTS ?? 6000);
const seed = Number(process.env.LLAMA_NATIVE_SOAK_SEED ?? 1);
/** Requests under way at the same time; the model runs six of them. */
const lanes = 24;
const parts = 16;

let directory: string;
let path: string;
let before: Holdings;
let model: Model;
let context: WatchedContext;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'soak-'));
  path = join(directory, 'tiny.gguf');
  await writeTinyGenerator(path);
  // Once before anything is counted: what is made with the first model stays.
  await (await loadModel(path, { contextSize: 256, threads: 1 })).close();
  before = await countHoldings();
  const settings = { contextSize: 512, sequences: 6, batchSize: 64, threads: 1 };
  const prefixCache = { memoryBytes: 2_000_000 }; // soon full, so that it does not look like a leak
  const load = () => loadModel(path, { ...settings, prefixCache });
  ({ result: model, context } = await watchContext(load));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

const endings = new Map<string, number>();

async function makeRequests(count: number, random: Random): Promise<void> {
  let left = count;
  const lane = async () => {
    while (left-- > 0) {
      const ending = await makeRequest(model, random);
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** What was forgotten may still run. */
async function waitForRest(): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const { running, waiting } = await model.metrics();
    if (running === 0 && waiting === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe(`${requestCount} requests of every kind and fate`, () => {
  const megabytes: number[] = [];

  it('all end as they may', async () => {
    const random = new Random(seed);
    for (let part = 0; part < parts; part++) {
      await makeRequests(requestCount / parts, random);
      await waitForRest();
      megabytes.push(await residentMegabytes());
    }
    console.info(
      `seed ${seed}:`,
      Object.fromEntries(endings),
      'megabytes',
      megabytes.map(Math.round).join(' '),
    );
    for (const ending of ['length', 'stop', 'cancelled', 'ABORTED', 'PROMPT_TOO_LONG', 'context']) {
      expect(endings.get(ending), ending).toBeGreaterThan(requestCount / 1000);
    }
  }, 3_600_000);

  it('leave nothing running, and each sequence with what the engine knows of it', async () => {
    const metrics = await model.metrics();
    expect(metrics).toMatchObject({ running: 0, waiting: 0 });
    const ranges = await context.ranges();
    const held = ranges.filter(({ last }) => last >= 0);
    expect(held.map(({ sequence }) => sequence)).toEqual([...context.idle()].sort((a, b) => a - b));
    expect(held.every(({ first }) => first === 0)).toBe(true);
    const longest = Math.max(...held.map(({ last }) => last + 1));
    const total = held.reduce((sum, { last }) => sum + last + 1, 0);
    // Shared cells are counted once there, and once for each sequence here.
    expect(metrics.residentTokens).toBeGreaterThanOrEqual(longest);
    expect(metrics.residentTokens).toBeLessThanOrEqual(Math.min(total, metrics.contextSize));
  });

  it('leave the whole context to the next one', async () => {
    const prompt = new Int32Array(model.contextSize - 9).fill(77);
    const { usage } = await model.generate(prompt, { maxTokens: 10, ignoreEndOfSequence: true }).result;
    expect(usage).toMatchObject({ promptTokens: prompt.length, completionTokens: 10 });
  });

  // A sanitizer keeps freed memory for a while, to see who still uses it.
  it.runIf(process.env.LLAMA_NATIVE_SANITIZER === undefined)('take no more and more memory', () => {
    const quarter = (index: number) => megabytes.slice((index * parts) / 4, ((index + 1) * parts) / 4);
    const growth = Math.max(...quarter(3)) - Math.max(...quarter(1));
    console.info(`memory grew by ${growth.toFixed(1)} MB from the second quarter to the last`);
    expect(growth).toBeLessThan(32);
  });

  it('leave neither threads nor open files once the model is closed', async () => {
    await model.close();
    const now = await settleHoldings(before);
    expect(now.threads).toBeLessThanOrEqual(before.threads);
    expect(now.files).toBeLessThanOrEqual(before.files);
  });
});

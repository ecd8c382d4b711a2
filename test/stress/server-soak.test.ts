import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../helpers/gguf-random.js';
import {
  countHoldings,
  type Holdings,
  residentMegabytes,
  settleHoldings,
} from '../helpers/process-figures.js';
import { startTestServer, type TestServer } from '../helpers/test-server.js';
import { makeTinyModel, metricsOf, RawConnection, untilRest } from '../helpers/tiny-server.js';

/** `LLAMA_NATIVE_SERVER_SOAK_REQUESTS` makes it more. */
const requestCount = Number(process.env.LLAMA_NATIVE_SERVER_SOAK_REQUESTS ?? 5000);
const seed = Number(process.env.LLAMA_NATIVE_SOAK_SEED ?? 1);
const lanes = 16;
const parts = 8;

let started: TestServer;
let directory: string;
let before: Holdings;

function start(path: string): Promise<TestServer> {
  return startTestServer({
    models: [{ source: path, name: 'tiny' }],
    queueLimit: 8,
    page: false,
    load: {
      contextSize: 512,
      threads: 1,
      sequences: 4,
      batchSize: 64,
      prefixCache: { memoryBytes: 1_000_000 },
    },
  });
}

beforeAll(async () => {
  const tiny = await makeTinyModel();
  ({ directory } = tiny);
  // Once before anything is counted: what is made with the first server stays.
  const first = await start(tiny.path);
  await first.server.models.load('tiny');
  await first.post('/generate', { prompt: 'Hi', max_tokens: 1 });
  await first.server.close();
  before = await countHoldings();
  started = await start(tiny.path);
  await started.server.models.load('tiny');
});
afterAll(async () => {
  await started.server.close();
  await rm(directory, { recursive: true });
});

const outcomes = new Map<string, number>();

function textOf(random: Random): string {
  const length = random.below(random.below(30) === 0 ? 900 : 60);
  return 'Tell me of the '.slice(random.below(10)) + 'abcdefghij '.repeat(length / 11 + 1);
}

function chatOf(random: Random) {
  return {
    messages: [{ role: 'user', content: textOf(random) }],
    max_tokens: 1 + random.below(12),
    seed: random.below(100),
    temperature: random.below(2),
    ...(random.below(4) === 0 && { logprobs: true, top_logprobs: random.below(5) }),
    ...(random.below(6) === 0 && { stop: ['a', ' '] }),
  };
}

type Request = (random: Random) => Promise<string>;

async function statusOf(response: Response): Promise<string> {
  await response.arrayBuffer();
  return String(response.status);
}

const requests: readonly Request[] = [
  async (random) => statusOf(await started.post('/v1/chat/completions', chatOf(random))),
  async (random) => {
    const response = await started.post('/v1/chat/completions', { ...chatOf(random), stream: true });
    const text = await response.text();
    if (response.status !== 200) return String(response.status);
    return text.endsWith('data: [DONE]\n\n') ? 'streamed' : `broken stream: ${text.slice(-200)}`;
  },
  async (random) =>
    statusOf(await started.post('/generate', { prompt: textOf(random), max_tokens: 1 + random.below(8) })),
  // Clients that go away when they like.
  async (random) => {
    const connection = await RawConnection.open(started.url);
    connection.post('/v1/chat/completions', {
      ...chatOf(random),
      max_tokens: 200,
      stream: random.below(2) === 0,
    });
    await delay(random.below(25));
    connection.socket.destroy();
    return 'gone';
  },
  async (random) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), random.below(20));
    const body = JSON.stringify({ ...chatOf(random), stream: true });
    const headers = { 'content-type': 'application/json' };
    const { signal } = controller;
    return fetch(`${started.url}/v1/chat/completions`, { method: 'POST', headers, body, signal })
      .then((response) => response.text())
      .then(() => 'streamed')
      .catch(() => 'gone');
  },
  // And what is wrong.
  async () => statusOf(await started.post('/v1/chat/completions', '{"messages":')),
  async () => statusOf(await started.post('/generate', { prompt: 5 })),
  async () => statusOf(await started.post('/generate', { prompt: 'Hi', model: 'none' })),
  async () => statusOf(await fetch(`${started.url}/v1/models`)),
];

async function makeRequests(count: number, random: Random): Promise<void> {
  let left = count;
  const lane = async () => {
    while (left-- > 0) {
      const request = requests[random.below(requests.length)];
      const outcome = (await request?.(random)) ?? 'none';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

describe(`${requestCount} mixed requests`, () => {
  const megabytes: number[] = [];

  it('all end as they may', async () => {
    const random = new Random(seed);
    for (let part = 0; part < parts; part++) {
      await makeRequests(Math.ceil(requestCount / parts), random);
      await untilRest(started, 60);
      megabytes.push(await residentMegabytes());
    }
    console.info(
      `seed ${seed}:`,
      Object.fromEntries(outcomes),
      'megabytes',
      megabytes.map(Math.round).join(' '),
    );
    const allowed = ['200', '400', '404', '429', 'streamed', 'gone'];
    expect([...outcomes.keys()].filter((outcome) => !allowed.includes(outcome))).toEqual([]);
    for (const outcome of ['200', '400', '404', 'streamed', 'gone']) {
      expect(outcomes.get(outcome), outcome).toBeGreaterThan(requestCount / 100);
    }
  }, 3_600_000);

  it('leave no sequence taken and no cell lost', async () => {
    expect(await metricsOf(started)).toMatchObject({ running: 0, waiting: 0 });
    expect(started.server.models.find('tiny').inFlight).toBe(0);
    const { model } = started.server.models.find('tiny');
    const prompt = new Int32Array((model?.contextSize ?? 0) - 9).fill(77);
    const result = await model?.generate(prompt, { maxTokens: 10, ignoreEndOfSequence: true }).result;
    expect(result?.usage).toMatchObject({ promptTokens: prompt.length, completionTokens: 10 });
  });

  // A sanitizer keeps freed memory for a while, to see who still uses it.
  it.runIf(process.env.LLAMA_NATIVE_SANITIZER === undefined)('take no more and more memory', () => {
    const half = parts / 2;
    const growth = Math.max(...megabytes.slice(half)) - Math.max(...megabytes.slice(1, half));
    console.info(`memory grew by ${growth.toFixed(1)} MB from the first half to the second`);
    expect(growth).toBeLessThan(32);
  });

  it('leave neither connections nor threads nor files once the server is closed', async () => {
    await started.server.close();
    const now = await settleHoldings(before);
    expect(now.files).toBeLessThanOrEqual(before.files);
    expect(now.threads).toBeLessThanOrEqual(before.threads);
  });
});

// Measures the library through its public API, in a process of its own: node measure-library.mjs TASK, where TASK is
// JSON with a `kind` and the options of that kind. Prints the result as JSON.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { loadModel } from '../../dist/index.js';
import { residentBytes } from './processes.mjs';
import { createPrompt } from './prompts.mjs';
import { decodeTokensPerSecond, median } from './statistics.mjs';

const greedy = { temperature: 0, ignoreEndOfSequence: true };

/** Milliseconds between two samples of the event loop; part of what the monitor reports. */
const sampleIntervalMs = 5;

async function withModel({ model: path, threads, sequences = 1, contextSize, isolate = false }, work) {
  const model = await loadModel(path, { threads, sequences, contextSize, batchSize: 512, isolate });
  try {
    await model.generate(createPrompt(16, 999), { ...greedy, maxTokens: 2 }).result; // the references warm up too
    return await work(model);
  } finally {
    await model.close();
  }
}

/** Reads a generation as a user would and notes when tokens came. */
async function readArrivals(generation) {
  const arrivals = [];
  for await (const { tokens } of generation)
    arrivals.push({ time: performance.now(), tokens: tokens.length });
  return arrivals;
}

/** Runs some work and reports by how much the event loop was late, in milliseconds, 99th percentile. */
async function withEventLoopDelay(work) {
  const histogram = monitorEventLoopDelay({ resolution: sampleIntervalMs });
  histogram.enable();
  const result = await work();
  histogram.disable();
  return { ...result, eventLoopDelayMs: Math.max(0, histogram.percentile(99) / 1e6 - sampleIntervalMs) };
}

/** A run of several sequences at once, on a model of its own: nothing is resident from an earlier run. */
async function measureDecodeRun(task, { parallel, sampling }) {
  return withModel({ ...task, sequences: parallel }, (model) =>
    withEventLoopDelay(async () => {
      const generations = Array.from({ length: parallel }, (_, index) =>
        model.generate(createPrompt(task.promptTokens, index + 1), {
          ...greedy,
          ...sampling,
          maxTokens: task.tokens + 1, // the first token belongs to the prompt
        }),
      );
      const arrivals = await Promise.all(generations.map(readArrivals));
      const results = await Promise.all(generations.map(({ result }) => result));
      const speeds = results.map(({ timings }) => timings.completionTokensPerSecond);
      return {
        tokensPerSecond: decodeTokensPerSecond(arrivals),
        /** As the library's own timings have it; less than the other where the event loop held tokens up. */
        reportedTokensPerSecond: speeds.reduce((sum, speed) => sum + speed, 0),
      };
    }),
  );
}

const kinds = {
  async decode(task) {
    const results = {};
    for (const run of task.runs) results[run.name] = await measureDecodeRun(task, run);
    return results;
  },

  /** Requests that share a prefix, all at once, on a model that has seen nothing. */
  async sharedPrefix(task) {
    return withModel({ ...task, sequences: task.prompts.length }, (model) =>
      withEventLoopDelay(async () => {
        const begin = performance.now();
        const generations = task.prompts.map((prompt) =>
          model.generate(prompt, { ...greedy, maxTokens: task.tokens }),
        );
        const results = await Promise.all(generations.map(({ result }) => result));
        const totalMs = performance.now() - begin;
        const cachedTokens = results.map(({ usage }) => usage.cachedTokens);
        return { totalMs, cachedTokens, residentBytes: residentBytes(process.pid) };
      }),
    );
  },

  /** The first load of a program, up to its first token, and the median from a call with a short prompt to its first token. */
  async start(task) {
    const begin = performance.now();
    return withModel(task, async (model) => {
      const loadMs = performance.now() - begin;
      const firstTokens = [];
      for (let prompt = 0; prompt < 40; prompt++) {
        const asked = performance.now();
        const generation = model.generate(createPrompt(8, prompt), { ...greedy, maxTokens: 2 });
        const [first] = await readArrivals(generation);
        firstTokens.push(first.time - asked);
      }
      return { loadMs, firstTokenMs: median(firstTokens) };
    });
  },

  async prefill(task) {
    return withModel(task, async (model) => {
      // llama-bench too evaluates a prompt of this length once before it measures.
      await model.generate(createPrompt(task.promptTokens, 4), { ...greedy, maxTokens: 1 }).result;
      const prompt = createPrompt(task.promptTokens, 5);
      const { timings } = await model.generate(prompt, { ...greedy, maxTokens: 1 }).result;
      return { tokensPerSecond: timings.promptTokensPerSecond };
    });
  },

  /** Time from the call to the first token of a prompt, and of the same prompt once more. */
  async repeatedPrompt(task) {
    return withModel(task, async (model) => {
      const firstTokenMs = async () => {
        const begin = performance.now();
        const [first] = await readArrivals(
          model.generate(createPrompt(task.promptTokens, 6), { ...greedy, maxTokens: 2 }),
        );
        return first.time - begin;
      };
      const coldMs = await firstTokenMs();
      return { coldMs, repeatedMs: await firstTokenMs() };
    });
  },
};

const task = JSON.parse(process.argv[2]);
process.stdout.write(`${JSON.stringify(await kinds[task.kind](task))}\n`);

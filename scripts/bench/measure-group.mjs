// One round of each group of rows: the reference and ours, one after the other, in the order that is asked for.
import { measureServerSharedPrefix } from './llama-server.mjs';
import { runMeasurement } from './processes.mjs';
import { createSharedPrompts } from './prompts.mjs';
import { measureBatchedBench, measurePrefill } from './reference-tools.mjs';
import { serverSides } from './server-group.mjs';
import { median } from './statistics.mjs';

const promptTokens = 32;
/** Tokens per sequence, so that a run lasts some seconds on small models as well. */
const decodeTokens = { '0.5b': 128, '41m': 256, smollm2: 128 };
const parallelCounts = [1, 8];

const samplings = { greedy: {}, sampled: { temperature: 0.8, topK: 40, topP: 0.95, minP: 0, seed: 1 } };

/** Orders of a shop: names, numbers, choices and lists, and more of them than a run has tokens for. */
const orders = {
  type: 'array',
  minItems: 40,
  items: {
    type: 'object',
    properties: {
      id: { type: 'integer', minimum: 1, maximum: 99999 },
      customer: { type: 'string', minLength: 1, maxLength: 40 },
      status: { enum: ['new', 'paid', 'shipped', 'returned'] },
      express: { type: 'boolean' },
      total: { type: 'number' },
      lines: {
        type: 'array',
        minItems: 1,
        maxItems: 5,
        items: {
          type: 'object',
          properties: { article: { type: 'string', maxLength: 30 }, count: { type: 'integer', minimum: 1 } },
          required: ['article', 'count'],
        },
      },
      note: { type: ['string', 'null'] },
    },
    required: ['id', 'customer', 'status', 'express', 'total', 'lines'],
  },
};

/** Runs both sides in the given order; each gives its figures by row. */
async function inTurn({ libraryFirst }, reference, library) {
  const early = libraryFirst ? await library() : undefined;
  const theirs = await reference();
  return { reference: theirs, library: early ?? (await library()) };
}

function decodeTask({ model, threads }, name) {
  const tokens = decodeTokens[name];
  const each = promptTokens + tokens + 1;
  return { model, threads, promptTokens, tokens, contextSize: Math.max(...parallelCounts) * each };
}

/** The sides of a decode group: one run of the reference serves the greedy and the sampled rows. */
function decodeSides(settings, rows) {
  const name = rows[0].model;
  const task = decodeTask(settings, name);
  const runs = rows.map(({ id, parallel, sampled }) => ({
    name: id,
    parallel,
    sampling: sampled ? samplings.sampled : samplings.greedy,
  }));
  const parallel = [...new Set(rows.map((row) => row.parallel))];
  return [
    async () => {
      const speeds = await measureBatchedBench({ ...task, parallel });
      return Object.fromEntries(rows.map((row) => [row.id, speeds[row.parallel]]));
    },
    async () => {
      const results = await runMeasurement('measure-library.mjs', { kind: 'decode', ...task, runs });
      const entries = Object.entries(results).map(([id, { tokensPerSecond }]) => [id, tokensPerSecond]);
      const delays = Object.values(results).map(({ eventLoopDelayMs }) => eventLoopDelayMs);
      const reported = Object.entries(results).map(([id, result]) => [id, result.reportedTokensPerSecond]);
      return {
        ...Object.fromEntries(entries),
        'event-loop': Math.max(...delays),
        reportedTokensPerSecond: Object.fromEntries(reported),
      };
    },
  ];
}

function grammarSides(settings, [row]) {
  const { parallel } = row;
  const task = decodeTask(settings, row.model);
  return [
    async () => ({ [row.id]: (await measureBatchedBench({ ...task, parallel: [parallel] }))[parallel] }),
    async () => {
      const runs = [{ name: row.id, parallel, sampling: { ...samplings.greedy, jsonSchema: orders } }];
      const results = await runMeasurement('measure-library.mjs', { kind: 'decode', ...task, runs });
      return { [row.id]: results[row.id].tokensPerSecond };
    },
  ];
}

function peerSides(settings, [row]) {
  const { parallel } = row;
  const task = decodeTask(settings, row.model);
  return [
    async () => {
      const measurement = { ...task, parallel, location: settings.peer.location };
      const { tokensPerSecond } = await runMeasurement('measure-node-llama-cpp.mjs', measurement);
      return { [row.id]: tokensPerSecond };
    },
    async () => {
      const runs = [{ name: row.id, parallel, sampling: samplings.greedy }];
      const results = await runMeasurement('measure-library.mjs', { kind: 'decode', ...task, runs });
      return { [row.id]: results[row.id].tokensPerSecond };
    },
  ];
}

/** The same work with the engine in this process and in one of its own. */
function isolatedSides(settings, rows) {
  const task = decodeTask(settings, rows[0].model);
  const runs = rows.map(({ id, parallel }) => ({ name: id, parallel, sampling: samplings.greedy }));
  return [false, true].map((isolate) => async () => {
    const results = await runMeasurement('measure-library.mjs', { kind: 'decode', ...task, runs, isolate });
    return Object.fromEntries(
      Object.entries(results).map(([id, { tokensPerSecond }]) => [id, tokensPerSecond]),
    );
  });
}

/** Programs that are started for each side of a round, in turn. */
const startsPerRound = 5;

/** What an engine of its own adds to the time of a program's load and of a first token: differences of medians. */
async function measureIsolatedStart({ model, threads, libraryFirst }) {
  const measure = (isolate) => () =>
    runMeasurement('measure-library.mjs', { kind: 'start', model, threads, contextSize: 512, isolate });
  const sides = { reference: [], library: [] };
  for (let start = 0; start < startsPerRound; start++) {
    const first = (start % 2 === 0) === libraryFirst;
    const { reference, library } = await inTurn({ libraryFirst: first }, measure(false), measure(true));
    sides.reference.push(reference);
    sides.library.push(library);
  }
  const added = (figure) => {
    const [isolated, inProcess] = [sides.library, sides.reference].map((starts) =>
      median(starts.map(figure)),
    );
    return isolated - inProcess;
  };
  return {
    reference: {},
    library: {
      'isolated-load': added(({ loadMs }) => loadMs),
      'isolated-first-token': added(({ firstTokenMs }) => firstTokenMs),
    },
  };
}

function sharedPrefixSides({ model, threads, round }) {
  const prompts = createSharedPrompts(8, 700, 20, round + 1);
  const task = { model, threads, prompts, tokens: 32, contextSize: 8192 };
  const figures = ({ totalMs, residentBytes }) => ({
    'shared-prefix': totalMs / 1000,
    memory: residentBytes / 1e6,
  });
  return [
    async () => figures(await measureServerSharedPrefix(task)),
    async () => {
      const result = await runMeasurement('measure-library.mjs', { kind: 'sharedPrefix', ...task });
      const { eventLoopDelayMs, cachedTokens } = result;
      return { ...figures(result), 'event-loop': eventLoopDelayMs, cachedTokens };
    },
  ];
}

function prefillSides({ model, threads }, [row]) {
  const task = { model, threads, promptTokens: 512 };
  return [
    async () => ({ [row.id]: await measurePrefill(task) }),
    async () => {
      const measurement = { kind: 'prefill', ...task, contextSize: 768 };
      const { tokensPerSecond } = await runMeasurement('measure-library.mjs', measurement);
      return { [row.id]: tokensPerSecond };
    },
  ];
}

async function measureRepeatedPrompt({ model, threads }, [row]) {
  const task = { kind: 'repeatedPrompt', model, threads, promptTokens: 2000, contextSize: 2304 };
  const { coldMs, repeatedMs } = await runMeasurement('measure-library.mjs', task);
  return { reference: { [row.id]: coldMs }, library: { [row.id]: repeatedMs } };
}

/**
 * Measures the rows of one group once.
 *
 * @param {{ model: string, threads: number, round: number, libraryFirst: boolean, peer?: { location: string } }} settings
 * @returns {Promise<{ reference: object, library: object }>} figures of both sides by the row's id
 */
export async function measureGroup(group, rows, settings) {
  if (group === 'repeated-prompt') return measureRepeatedPrompt(settings, rows);
  if (group === 'isolated-start') return measureIsolatedStart(settings);
  const [, kind = ''] = /^(decode|isolated|server)-/.exec(group) ?? [undefined, group];
  const sides =
    {
      decode: decodeSides,
      isolated: isolatedSides,
      grammar: grammarSides,
      peer: peerSides,
      server: serverSides,
      'shared-prefix': sharedPrefixSides,
    }[kind] ?? prefillSides;
  return inTurn(settings, ...sides(settings, rows));
}

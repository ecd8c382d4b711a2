// Our server beside llama-server: the same model, the same flags, the same load from the same program.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from './llama-server.mjs';
import { startOwnServer } from './own-server.mjs';
import { runMeasurement } from './processes.mjs';

/** ChatML, which llama-server has built in under this name. */
const template =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const sequences = 32;
/** Tokens of an answer, so that a load lasts some seconds on the small model as well. */
const answerTokens = { '0.5b': 64, '41m': 192 };
const requestsPerClient = { 1: 4, 8: 3, 32: 2 };

const words =
  'river stone window morning letter garden engine winter silver market village mountain paper candle harbour'.split(
    ' ',
  );

/** A text of so many words that is the same for the same seed. */
function createText(count, seed) {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return words[(state >>> 16) % words.length];
  }).join(' ');
}

/** The loads of a round: what is new to both servers in each of them. */
function createLoads(name, parallels, round) {
  const tokens = answerTokens[name];
  return parallels.map((parallel) => {
    const requests = parallel * requestsPerClient[parallel];
    const prompts = Array.from({ length: requests }, (_, index) =>
      createText(20, round * 100_000 + parallel * 1000 + index),
    );
    return { name: String(parallel), parallel, requests, tokens, prompts };
  });
}

const warmUp = {
  name: 'warm-up',
  parallel: 2,
  requests: 4,
  tokens: 16,
  prompts: [createText(8, 1), createText(8, 2)],
};

async function measureSide(startSide, loads) {
  const server = await startSide();
  try {
    const measure = (list) => runMeasurement('load-generator.mjs', { url: server.url, loads: list });
    await measure([warmUp]);
    const results = await measure(loads);
    return { results, residentBytes: server.residentBytes() };
  } finally {
    await server.stop();
  }
}

/**
 * The sides of a group of rows that compare servers: each a function that gives the figures of the rows.
 * @param rows with `figure` (`throughput`, `first-token`, `shared-prefix`, `memory`) and `parallel`
 */
export function serverSides({ model, threads, round }, rows) {
  const parallels = [
    ...new Set(rows.map(({ parallel }) => parallel).filter((parallel) => parallel !== undefined)),
  ];
  const loads = createLoads(rows[0].model, parallels, round);
  if (rows.some(({ figure }) => figure === 'shared-prefix')) {
    const prefix = createText(700, 7 + round);
    const prompts = Array.from(
      { length: 8 },
      (_, index) => `${prefix} ${createText(20, 70 + round * 10 + index)}`,
    );
    loads.push({ name: 'shared', parallel: 8, requests: 8, tokens: 32, prompts });
  }
  const options = { model, threads, sequences, contextSize: 16_384 };
  const toFigures = ({ results, residentBytes }) =>
    Object.fromEntries(
      rows.map(({ id, figure, parallel }) => {
        if (figure === 'memory') return [id, residentBytes / 1e6];
        if (figure === 'shared-prefix') return [id, results.shared.totalMs / 1000];
        const { tokensPerSecond, firstTokenMs } = results[String(parallel)];
        return [id, figure === 'throughput' ? tokensPerSecond : firstTokenMs];
      }),
    );
  return [
    async () =>
      toFigures(await measureSide(() => startServer({ ...options, chatTemplate: 'chatml' }), loads)),
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'llama-native-bench-'));
      try {
        const templateFile = join(folder, 'chatml.jinja');
        writeFileSync(templateFile, template);
        return toFigures(await measureSide(() => startOwnServer({ ...options, templateFile }), loads));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  ];
}

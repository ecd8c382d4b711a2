// Measures what choosing one token costs, in microseconds: with the short cuts of binding/sampler.cpp, and with
// llama.cpp's chain over the whole vocabulary. Reads the addon directly and evaluates one prompt only; the rest is
// sampling from the same logits.
//
//   node scripts/bench/sampling.mjs [--rounds 5] [--samples 2000] [--output file.json] [model.gguf ...]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, runSteps } from '../prepare.mjs';
import { ensureRandomModel } from './random-model.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    samples: { type: 'string', default: '2000' },
    output: { type: 'string' },
  },
});
const samples = Number(values.samples);

const settings = {
  greedy: { temperature: 0 },
  'top-k 40, top-p 0.95, temperature 0.8': { topK: 40, topP: 0.95, temperature: 0.8, minP: 0 },
  'the same with repeatPenalty 1.1': { topK: 40, topP: 0.95, temperature: 0.8, minP: 0, repeatPenalty: 1.1 },
  'top-k 256': { topK: 256, temperature: 0.8 },
  'top-k off, top-p 0.95': { topK: 0, topP: 0.95, temperature: 0.8, minP: 0 },
  'top-k off, min-p 0.05': { topK: 0, topP: 1, temperature: 0.8, minP: 0.05 },
};

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Microseconds a token. All calls are posted at once, so the context's thread never waits for JavaScript. */
async function measure(addon, model, context, options) {
  const sampler = await addon.createSampler(model, { seed: 1, ...options });
  const started = performance.now();
  await Promise.all(Array.from({ length: samples }, () => addon.sample(context, sampler, -1)));
  const elapsed = performance.now() - started;
  addon.closeSampler(sampler);
  return (elapsed * 1000) / samples;
}

async function measureModel(addon, path) {
  const load = { gpuLayers: 0, vocabOnly: false, checkTensors: false, memoryMap: true };
  const model = await addon.loadModel(path, load, addon.createCancelFlag(), () => {});
  const sizes = { contextSize: 256, batchSize: 64, sequences: 1, threads: 1 };
  const { handle: context } = await addon.createContext(model, sizes, () => {});
  await addon.eval(context, Int32Array.of(1, 2, 3, 4), 0, -1, false);
  const rows = [];
  for (const [name, options] of Object.entries(settings)) {
    const short = [];
    const exact = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      short.push(await measure(addon, model, context, options));
      exact.push(await measure(addon, model, context, { ...options, exactChain: true }));
    }
    rows.push({ setting: name, short: median(short), exact: median(exact) });
  }
  const vocabulary = addon.getModelInfo(model).vocabularySize;
  await addon.closeContext(context);
  await addon.closeModel(model);
  return { vocabulary, rows };
}

await runSteps(async () => {
  const { getAddon } = await import('../../dist/native/addon.js');
  const { writeGguf } = await import('../../dist/index.js');
  const { fetchDefaultModel } = await import('../default-model.mjs');
  const directory = join(root, '.cache', 'bench-models');
  const paths =
    positionals.length > 0
      ? positionals
      : [await fetchDefaultModel(), await ensureRandomModel('41m', { directory, seed: 1, writeGguf })];
  const results = [];
  for (const path of paths) results.push(await measureModel(getAddon(), path));
  for (const { vocabulary, rows } of results) {
    console.log(`vocabulary of ${vocabulary}, microseconds a token`);
    console.table(
      rows.map(({ setting, short, exact }) => ({
        setting,
        'short cut': short.toFixed(1),
        'whole chain': exact.toFixed(1),
      })),
    );
  }
  if (values.output !== undefined) writeFileSync(values.output, `${JSON.stringify(results, null, 2)}\n`);
});

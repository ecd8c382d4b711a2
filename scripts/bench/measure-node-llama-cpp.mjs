// Measures node-llama-cpp's published binary, in a process of its own: node measure-node-llama-cpp.mjs TASK. Several
// sequences decode greedily at once, through its lowest-level way of generating, which is also its fastest.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createPrompt } from './prompts.mjs';
import { decodeTokensPerSecond } from './statistics.mjs';

async function readArrivals(sequence, prompt, tokens) {
  const arrivals = [];
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    arrivals.push({ time: performance.now(), tokens: 1 });
    if (arrivals.length === tokens) break;
  }
  return arrivals;
}

const { location, model: modelPath, threads, parallel, promptTokens, tokens } = JSON.parse(process.argv[2]);
const { getLlama } = await import(pathToFileURL(join(location, 'dist', 'index.js')).href);
const llama = await getLlama({
  gpu: false,
  build: 'never',
  progressLogs: false,
  logLevel: 'error',
  maxThreads: threads,
});
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({
  contextSize: promptTokens + tokens + 64,
  sequences: parallel,
  threads,
  batchSize: 512,
});
const sequences = Array.from({ length: parallel }, () => context.getSequence());
await readArrivals(sequences[0], createPrompt(16, 999), 2);
await sequences[0].clearHistory();
const arrivals = await Promise.all(
  sequences.map((sequence, index) =>
    readArrivals(sequence, createPrompt(promptTokens, index + 1), tokens + 1),
  ),
);
process.stdout.write(`${JSON.stringify({ tokensPerSecond: decodeTokensPerSecond(arrivals) })}\n`);
process.exit(0); // its threads may outlive the work

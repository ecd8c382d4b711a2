// Measures one sequence beside llama-bench, built from the same tree with the same flags: prompt and generation
// speed, in turn, several rounds, medians and ratios. Prints a table and writes JSON.
//
//   npm run bench:single -- [--model file.gguf] [--threads 2] [--rounds 5] [--prompt 512] [--generate 128] [--output file.json]
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepare, root, runSteps } from '../prepare.mjs';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    prompt: { type: 'string', default: '512' },
    generate: { type: 'string', default: '128' },
    output: { type: 'string' },
  },
});
const threads = Number(values.threads);
const promptTokens = Number(values.prompt);
const generatedTokens = Number(values.generate);

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Tokens per second of llama-bench: evaluating a prompt, and generating from an empty context. */
function measureReference(model) {
  const tool = join(root, 'build', 'bin', process.platform === 'win32' ? 'llama-bench.exe' : 'llama-bench');
  const settings = [
    '-m',
    model,
    '-t',
    String(threads),
    '-p',
    String(promptTokens),
    '-n',
    String(generatedTokens),
  ];
  const { stdout, status, stderr } = spawnSync(tool, [...settings, '-r', '1', '-b', '512', '-o', 'json'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`llama-bench failed: ${stderr}`);
  const results = JSON.parse(stdout);
  return {
    prompt: results.find((entry) => entry.n_prompt > 0).avg_ts,
    generate: results.find((entry) => entry.n_gen > 0).avg_ts,
  };
}

/** The same through the public API: the whole way of a token, sampling and streaming included. */
async function measureLibrary(loadModel, path) {
  const contextSize = promptTokens + 256;
  const model = await loadModel(path, { threads, contextSize });
  try {
    const greedy = { temperature: 0, ignoreEndOfSequence: true };
    await model.generate([1], { ...greedy, maxTokens: 2 }).result; // llama-bench warms up too
    // First from an almost empty context, as llama-bench does: what is cached is walked over by attention.
    const generation = model.generate([2], { ...greedy, maxTokens: generatedTokens });
    for await (const chunk of generation) if (chunk.tokens.length === 0) break; // streamed, as a user would
    const { timings } = await generation.result;
    const tokens = Int32Array.from({ length: promptTokens }, (_, index) => 100 + ((index * 7919) % 10_000));
    const prompt = await model.generate(tokens, { ...greedy, maxTokens: 1 }).result;
    return { prompt: prompt.timings.promptTokensPerSecond, generate: timings.completionTokensPerSecond };
  } finally {
    await model.close();
  }
}

function row(name, reference, library) {
  const ours = median(library);
  const theirs = median(reference);
  return {
    name,
    'llama-bench': theirs.toFixed(1),
    'llama-native': ours.toFixed(1),
    ratio: (ours / theirs).toFixed(3),
  };
}

await runSteps(async () => {
  prepare({ tools: ['llama-bench'] });
  const { fetchDefaultModel } = await import('../default-model.mjs');
  const { loadModel } = await import('../../dist/index.js');
  const model = values.model ?? (await fetchDefaultModel());
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    // In turn, and the order changes: what else the machine does hits both alike.
    const libraryFirst = round % 2 === 1;
    const early = libraryFirst ? await measureLibrary(loadModel, model) : undefined;
    const reference = measureReference(model);
    const library = early ?? (await measureLibrary(loadModel, model));
    rounds.push({ reference, library });
    process.stderr.write('.');
  }
  process.stderr.write('\n');
  const of = (side, what) => rounds.map((round) => round[side][what]);
  const table = [
    row(`prompt, ${promptTokens} tokens, tokens/s`, of('reference', 'prompt'), of('library', 'prompt')),
    row(
      `generate, ${generatedTokens} tokens, tokens/s`,
      of('reference', 'generate'),
      of('library', 'generate'),
    ),
  ];
  console.table(table);
  if (values.output)
    writeFileSync(values.output, `${JSON.stringify({ model, threads, rounds, table }, null, 2)}\n`);
});

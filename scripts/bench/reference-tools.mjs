// llama.cpp's own programs, built from the same tree with the same flags: the limit of what this machine can do.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../prepare.mjs';
import { runToEnd } from './processes.mjs';

/** What the benchmarks compare with; the build makes these. */
export const referenceTools = ['llama-bench', 'llama-batched-bench', 'llama-server'];

/** Path of a program of the local build. */
export function toolPath(name) {
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  const places = [join(root, 'build', 'bin', file), join(root, 'build', 'bin', 'Release', file)];
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new Error(
    `Expected ${places[0]}. Build it with: node scripts/build.mjs local --tools ${referenceTools}`,
  );
}

/** The entries of a program that prints one JSON object per line among other things. */
export function parseJsonLines(output) {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

/**
 * Decode speed by llama-batched-bench: no sampling, no text, all sequences in each step.
 *
 * @returns tokens per second by number of sequences
 */
export async function measureBatchedBench({ model, threads, promptTokens, tokens, parallel, contextSize }) {
  const output = await runToEnd(toolPath('llama-batched-bench'), [
    ...['--model', model, '--threads', String(threads), '--gpu-layers', '0'],
    ...['--ctx-size', String(contextSize), '--batch-size', '512', '--ubatch-size', '512'],
    ...['-npp', String(promptTokens), '-ntg', String(tokens), '-npl', parallel.join(',')],
    ...['--output-format', 'jsonl'],
  ]);
  const speeds = Object.fromEntries(parseJsonLines(output).map((entry) => [entry.pl, entry.speed_tg]));
  const missing = parallel.filter((count) => !(speeds[count] > 0));
  if (missing.length > 0)
    throw new Error(`llama-batched-bench printed no result for ${missing} sequences:\n${output}`);
  return speeds;
}

/** Prompt speed by llama-bench, in tokens per second. */
export async function measurePrefill({ model, threads, promptTokens }) {
  const output = await runToEnd(toolPath('llama-bench'), [
    ...['--model', model, '--threads', String(threads), '--n-gpu-layers', '0'],
    ...['--n-prompt', String(promptTokens), '--n-gen', '0', '--repetitions', '1'],
    ...['--batch-size', '512', '--ubatch-size', '512', '--output', 'json'],
  ]);
  return JSON.parse(output).find((entry) => entry.n_prompt > 0).avg_ts;
}

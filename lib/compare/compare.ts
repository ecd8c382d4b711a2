import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { abortError } from '../arguments.js';
import type { Estimate, PerplexityResult } from '../evaluate/types.js';
import { writeWholeFile } from '../files/write-whole-file.js';
import { resolveModel } from '../hub/index.js';
import { advise, isPareto } from './advice.js';
import { type Candidate, findCandidates } from './candidates.js';
import { checkCompareOptions } from './check-options.js';
import { measureQuality } from './measure-quality.js';
import { measureSpeeds, type SpeedSample } from './measure-speed.js';
import { renderPlot } from './plot.js';
import type { ComparedFile, CompareOptions, Comparison } from './types.js';

const none: Estimate = { value: 0, standardError: 0 };

/**
 * Compares quantizations of a model on this machine: size, memory, speed, and how far each is from the model itself. Makes
 * those that are missing.
 *
 * @param source the model that they are compared with and made from, best one of 16 bits: a path; `hf:owner/repo`; or a
 * URL.
 * @throws what `quantize`, `loadModel` and `perplexity` throw.
 *
 * @example
 * ```ts
 * import { compare } from 'llama-native';
 *
 * const { files, advice } = await compare('model-f16.gguf', {
 *   types: ['Q4_K_M'],
 *   text: 'What the model is to be good at. '.repeat(100),
 *   contextSize: 64,
 *   chunks: 1,
 *   rounds: 1,
 * });
 * for (const { name, klDivergence } of files) console.log(name, klDivergence.value);
 * console.log(advice);
 * ```
 */
export async function compare(source: string, options: CompareOptions): Promise<Comparison> {
  const types = checkCompareOptions(source, options);
  const { signal, output, overwrite = false } = options;
  if (signal?.aborted) throw abortError(signal, 'The comparison');
  const draw = async (path: string, text: string) => {
    const { writeFile } = await import('node:fs/promises');
    await writeFile(path, text);
  };
  const workplace = await mkdtemp(join(tmpdir(), 'llama-native-compare-'));
  const measure = async () => {
    const modelPath = await resolveModel(source, signal === undefined ? {} : { signal });
    const directory = options.directory ?? workplace;
    const candidates = await findCandidates(modelPath, types, directory, options);
    const qualities = await measureQuality(candidates, workplace, options);
    const speeds = await measureSpeeds(candidates, options);
    return summarize(candidates, qualities, speeds, options);
  };
  try {
    if (output === undefined) return await measure();
    // An output that cannot be written is refused before anything is measured.
    return await writeWholeFile(output, { overwrite, signal }, async (temporaryPath) => {
      const comparison = await measure();
      await draw(temporaryPath, renderPlot(comparison));
      return { ...comparison, plotPath: resolve(output) };
    });
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
}

/** Memory that a process can have: of the machine, or of the container it is in. */
function memoryOfMachine(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function summarize(
  candidates: readonly Candidate[],
  qualities: readonly PerplexityResult[],
  speeds: readonly SpeedSample[],
  options: CompareOptions,
): Comparison {
  const { tolerance = 0.02, rounds = 3 } = options;
  const machineBytes = memoryOfMachine();
  const measured = candidates.flatMap((candidate, index) => {
    const [quality, speed] = [qualities[index], speeds[index]];
    return quality && speed ? [toFile(candidate, quality, speed, machineBytes, options)] : [];
  });
  const files = measured
    .map((file): ComparedFile => ({ ...file, isPareto: isPareto(file, measured) }))
    .sort((a, b) => Number(b.isReference) - Number(a.isReference) || b.sizeBytes - a.sizeBytes);
  const [first] = qualities;
  return {
    files,
    ...advise(files, tolerance, machineBytes),
    contextSize: first?.contextSize ?? 0,
    chunks: first?.chunks ?? 0,
    rounds,
    machineBytes,
  };
}

function toFile(
  candidate: Candidate,
  { perplexity, comparison }: PerplexityResult,
  speed: SpeedSample,
  machineBytes: number,
  options: CompareOptions,
): Omit<ComparedFile, 'isPareto'> {
  const { name, path, isReference, sizeBytes, bitsPerWeight } = candidate;
  const isKept = isReference || options.directory !== undefined || options.files?.includes(path) === true;
  const ratio = Math.exp(comparison?.logPerplexityRatio.value ?? 0);
  const ratioError = ratio * (comparison?.logPerplexityRatio.standardError ?? 0);
  return {
    name,
    path: isKept ? resolve(path) : undefined,
    isReference,
    sizeBytes,
    bitsPerWeight,
    ...speed,
    fits: speed.memoryBytes <= machineBytes,
    perplexity,
    perplexityLoss: { value: ratio - 1, standardError: ratioError },
    klDivergence: comparison?.klDivergence ?? none,
    topAgreement: comparison?.topAgreement ?? { value: 1, standardError: 0 },
  };
}

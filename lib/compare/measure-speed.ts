import { loadModel } from '../model/load-model.js';
import type { Model } from '../model/model.js';
import type { Candidate } from './candidates.js';
import type { CompareOptions } from './types.js';

/** What one measurement of a file gives. */
export interface SpeedSample {
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  readonly memoryBytes: number;
}

const promptTokens = 512;
const answerTokens = 32;
const contextSize = 1024;

/** The middle one of some numbers; of an even number of them the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b);
  const upper = ascending[Math.floor(ascending.length / 2)] ?? Number.NaN;
  const lower = ascending[Math.floor((ascending.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/**
 * Measures speed and memory of files in turn, round by round, so that a machine that is busy for a while slows all of them
 * down. Each measurement has a process of its own, whose memory is that of the model.
 */
export async function measureSpeeds(
  candidates: readonly Candidate[],
  options: CompareOptions,
): Promise<SpeedSample[]> {
  const { rounds = 3, onProgress } = options;
  const total = rounds * candidates.length;
  const samples: SpeedSample[][] = candidates.map(() => []);
  let completed = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [index, candidate] of candidates.entries()) {
      onProgress?.({ stage: 'speed', file: candidate.name, completed, total });
      samples[index]?.push(await measureOnce(candidate, options));
      completed++;
    }
  }
  return samples.map((list) => ({
    prefillTokensPerSecond: median(list.map((sample) => sample.prefillTokensPerSecond)),
    decodeTokensPerSecond: median(list.map((sample) => sample.decodeTokensPerSecond)),
    memoryBytes: median(list.map((sample) => sample.memoryBytes)),
  }));
}

async function measureOnce({ path }: Candidate, options: CompareOptions): Promise<SpeedSample> {
  const model = await loadModel(path, { ...loadOptions(options), contextSize });
  try {
    const prompt = await promptOf(model, options.text);
    const { signal } = options;
    const generation = { temperature: 0, ignoreEndOfSequence: true, ...(signal && { signal }) };
    // The first evaluation of a process reads the weights from the disk.
    await model.generate(prompt.subarray(0, 8), { ...generation, maxTokens: 2 }).result;
    const { timings } = await model.generate(prompt.slice(8), { ...generation, maxTokens: answerTokens })
      .result;
    const { engineProcess } = await model.metrics();
    return {
      prefillTokensPerSecond: timings.promptTokensPerSecond,
      decodeTokensPerSecond: timings.completionTokensPerSecond,
      memoryBytes: engineProcess?.memoryBytes ?? 0,
    };
  } finally {
    await model.close();
  }
}

/** How every model of a comparison is loaded. */
export function loadOptions({ threads, gpuLayers, signal }: CompareOptions) {
  return {
    isolate: true,
    ...(threads === undefined ? {} : { threads }),
    ...(gpuLayers === undefined ? {} : { gpuLayers }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Tokens of the text, again and again if it is too short. */
async function promptOf(model: Model, text: string): Promise<Int32Array> {
  const tokens = await model.tokenize(text);
  return Int32Array.from({ length: promptTokens + 8 }, (_, index) => tokens[index % tokens.length] ?? 0);
}

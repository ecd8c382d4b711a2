import { join } from 'node:path';
import { perplexity } from '../evaluate/perplexity.js';
import type { PerplexityOptions, PerplexityResult } from '../evaluate/types.js';
import { loadModel } from '../model/load-model.js';
import type { Candidate } from './candidates.js';
import { loadOptions } from './measure-speed.js';
import type { CompareOptions } from './types.js';

/**
 * Perplexity of each file, and how far it is from the first, whose log-probabilities wait in a file meanwhile: two models
 * at once may not fit in memory.
 */
export async function measureQuality(
  candidates: readonly Candidate[],
  workplace: string,
  options: CompareOptions,
): Promise<PerplexityResult[]> {
  const logitsPath = join(workplace, 'reference.logits');
  const results: PerplexityResult[] = [];
  for (const candidate of candidates) {
    const comparison = candidate.isReference
      ? { saveLogProbabilities: logitsPath }
      : { reference: logitsPath };
    results.push(await measureOne(candidate, comparison, options));
  }
  return results;
}

async function measureOne(
  { path, name }: Candidate,
  comparison: PerplexityOptions,
  options: CompareOptions,
): Promise<PerplexityResult> {
  const { text, contextSize = 512, chunks, signal, onProgress } = options;
  const model = await loadModel(path, { ...loadOptions(options), contextSize: 256 });
  try {
    return await perplexity(model, text, {
      ...comparison,
      contextSize,
      ...(chunks === undefined ? {} : { chunks }),
      ...(signal === undefined ? {} : { signal }),
      onProgress: (progress) => onProgress?.({ stage: 'quality', file: name, progress }),
    });
  } finally {
    await model.close();
  }
}

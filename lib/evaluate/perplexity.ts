import { abortError } from '../arguments.js';
import { createError } from '../errors.js';
import type { Model } from '../model/model.js';
import type { NativeScores } from '../native/addon.js';
import {
  checkPerplexityOptions,
  checkSubject,
  checkTrainedSize,
  defaultContextSize,
} from './check-options.js';
import type { Evaluator } from './evaluator.js';
import { LogitsFile, type RowWriter, writeLogitsFile } from './logits-file.js';
import { EvaluationRun } from './progress.js';
import { fileReference, modelReference, type Reference } from './reference.js';
import { ComparisonSamples, toPerplexity } from './statistics.js';
import type { PerplexityOptions, PerplexityResult } from './types.js';
import { cutText, scoresOf, tokensOf, type Windows } from './windows.js';

/**
 * How well a model predicts a text, and with a `reference` how far it is from another model, usually the one it was
 * quantized from. The same figures as `llama-perplexity`.
 *
 * @param text in the language and of the kind that the model is to be used for; some thousand tokens at least.
 * @throws InvalidArgumentError for bad options and a text shorter than one chunk.
 * @throws LlamaNativeError REFERENCE_INVALID, OUTPUT_EXISTS, FILE_ACCESS_FAILED; DISK_FULL.
 * @throws ContextError OUT_OF_MEMORY, NO_WEIGHTS, DECODE_FAILED; ModelLoadError MODEL_UNSUPPORTED; ClosedError; AbortError.
 *
 * @example
 * ```ts
 * import { loadModel, perplexity } from 'llama-native';
 *
 * const model = await loadModel('model.gguf');
 * const text = 'What the model is to be good at. '.repeat(100);
 * const result = await perplexity(model, text, { contextSize: 64, chunks: 2 });
 * console.log(result.perplexity.value, '±', result.perplexity.standardError);
 * await model.close();
 * ```
 */
export async function perplexity(
  model: Model,
  text: string,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  checkSubject(model, text);
  checkPerplexityOptions(options);
  const { signal } = options;
  if (signal?.aborted) throw abortError(signal, 'The evaluation');
  const file = typeof options.reference === 'string' ? await LogitsFile.open(options.reference) : undefined;
  try {
    const windows = await prepareWindows(model, text, options, file);
    return await compareWindows(model, text, windows, options, file);
  } finally {
    await file?.close();
  }
}

/** A file of log-probabilities decides how long chunks are, and how many there can be. */
async function prepareWindows(
  model: Model,
  text: string,
  options: PerplexityOptions,
  file: LogitsFile | undefined,
): Promise<Windows> {
  const { contextSize = file?.contextSize ?? defaultContextSize, stride } = options;
  checkTrainedSize(model, contextSize);
  if (file !== undefined && file.contextSize !== contextSize) {
    throw createError(
      'REFERENCE_INVALID',
      `The reference was made with a contextSize of ${file.contextSize}, and ${contextSize} was asked for. Leave ` +
        'contextSize out, or make the reference again.',
    );
  }
  const chunks = Math.min(
    options.chunks ?? Number.POSITIVE_INFINITY,
    file?.chunks ?? Number.POSITIVE_INFINITY,
  );
  const windows = await cutText(model, text, { contextSize, stride, chunks });
  await file?.checkText(windows.tokens, model.metadata.vocabularySize);
  return windows;
}

async function compareWindows(
  model: Model,
  text: string,
  windows: Windows,
  options: PerplexityOptions,
  file: LogitsFile | undefined,
): Promise<PerplexityResult> {
  const { length: window, first } = windows;
  const { reference: given, saveLogProbabilities, overwrite = false, signal } = options;
  const evaluator = await model.createEvaluator({ window, first });
  let reference: Reference | undefined;
  try {
    if (file !== undefined) reference = fileReference(file);
    else if (given !== undefined && typeof given !== 'string')
      reference = await modelReference(given, text, windows);
    const parts = { evaluator, windows, reference };
    if (saveLogProbabilities === undefined) return await evaluate(parts, options);
    const { vocabularySize } = model.metadata;
    const content = { windows, vocabularySize, overwrite, signal };
    return await writeLogitsFile(saveLogProbabilities, content, (writeRows) =>
      evaluate({ ...parts, writeRows }, options),
    );
  } finally {
    await Promise.all([evaluator.close(), file === undefined ? reference?.close() : undefined]);
  }
}

interface EvaluationParts {
  readonly evaluator: Evaluator;
  readonly windows: Windows;
  readonly reference: Reference | undefined;
  readonly writeRows?: RowWriter;
}

async function evaluate(
  { evaluator, windows, reference, writeRows }: EvaluationParts,
  options: PerplexityOptions,
): Promise<PerplexityResult> {
  const { length: window, first, count, beginWithBos } = windows;
  const { signal } = options;
  const run = new EvaluationRun(count, options);
  const comparison = reference && new ComparisonSamples();
  const atOnce = Math.min(evaluator.sequences, reference?.sequences ?? count);
  for (let from = 0; from < count; from += atOnce) {
    const size = Math.min(atOnce, count - from);
    const tokens = tokensOf(windows, from, size);
    const rows = await reference?.rowsOf(from, size, signal);
    const scores = await evaluator.score(
      {
        tokens,
        window,
        first,
        beginWithBos,
        pack: writeRows !== undefined,
        ...(rows && { reference: rows }),
      },
      signal,
    );
    run.evaluated(tokens.length, scores.evaluationMs);
    if (scores.logProbabilities) await writeRows?.(scores.logProbabilities);
    addChunks(run, comparison, scores, scoresOf(windows));
  }
  return {
    perplexity: toPerplexity(run.samples),
    ...(comparison && { comparison: comparison.summarize() }),
    contextSize: window,
    chunks: count,
    scoredTokens: run.samples.count,
    evaluatedTokens: run.evaluatedTokens,
    tokensPerSecond: run.tokensPerSecond,
    totalMs: run.totalMs,
  };
}

/** Takes the scores of chunks that were evaluated together apart. */
export function addChunks(
  run: EvaluationRun,
  comparison: ComparisonSamples | undefined,
  { negativeLogLikelihoods, reference }: NativeScores,
  perChunk: number,
): void {
  for (let begin = 0; begin < negativeLogLikelihoods.length; begin += perChunk) {
    const end = begin + perChunk;
    const own = negativeLogLikelihoods.subarray(begin, end);
    if (comparison && reference) {
      comparison.add(own, {
        negativeLogLikelihoods: reference.negativeLogLikelihoods.subarray(begin, end),
        divergences: reference.divergences.subarray(begin, end),
        agreements: reference.agreements.subarray(begin, end),
      });
    }
    run.completeChunk(own, comparison);
  }
}

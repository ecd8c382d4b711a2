import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { abortError } from '../arguments.js';
import { createError, LlamaNativeError } from '../errors.js';
import { writeWholeFile } from '../files/write-whole-file.js';
import type { Model } from '../model/model.js';
import { checkImatrixOptions, checkSubject, checkTrainedSize, defaultContextSize } from './check-options.js';
import type { Evaluator } from './evaluator.js';
import {
  addEntries,
  chunkCount,
  type Imatrix,
  type ImatrixEntry,
  imatrixBytes,
  readImatrix,
  writeImatrix,
} from './imatrix-file.js';
import { addChunks } from './perplexity.js';
import { EvaluationRun } from './progress.js';
import { toPerplexity } from './statistics.js';
import type { ImatrixOptions, ImatrixResult } from './types.js';
import { cutText, scoresOf, tokensOf, type Windows } from './windows.js';

/**
 * Computes an importance matrix: which columns of a model's matrices matter for a text, so that `quantize` rounds them
 * with more care. The same as `llama-imatrix` makes.
 *
 * @param text of the kind that the model is to be used for; some ten thousand tokens are usual.
 * @throws InvalidArgumentError for bad options and a text shorter than one chunk.
 * @throws ConversionError IMATRIX_INVALID for a damaged `from`, or one of another model.
 * @throws LlamaNativeError OUTPUT_EXISTS, FILE_ACCESS_FAILED; DISK_FULL.
 * @throws ContextError OUT_OF_MEMORY, NO_WEIGHTS, DECODE_FAILED; ModelLoadError MODEL_UNSUPPORTED; ClosedError; AbortError.
 *
 * @example
 * ```ts
 * import { imatrix, loadModel } from 'llama-native';
 *
 * const model = await loadModel('model.gguf');
 * const text = 'What the model is to be good at. '.repeat(100);
 * const { path, chunks } = await imatrix(model, text, {
 *   output: 'model.imatrix.gguf',
 *   contextSize: 64,
 *   chunks: 2,
 * });
 * console.log(path, chunks);
 * await model.close();
 * ```
 */
export async function imatrix(model: Model, text: string, options: ImatrixOptions): Promise<ImatrixResult> {
  checkSubject(model, text);
  checkImatrixOptions(options);
  const { contextSize = defaultContextSize, chunks, signal } = options;
  if (signal?.aborted) throw abortError(signal, 'The evaluation');
  checkTrainedSize(model, contextSize);
  const windows = await cutText(model, text, { contextSize, chunks });
  const job = new ImatrixJob(windows, await readBases(options), options);
  await job.checkOutput();
  const { length: window, first } = windows;
  const collects = options.includeOutput === true ? 'blocks and output' : 'blocks';
  const evaluator = await model.createEvaluator({ window, first, collects });
  try {
    return await job.run(evaluator);
  } finally {
    await evaluator.close();
  }
}

function pathsOf({ from = [] }: ImatrixOptions): readonly string[] {
  return typeof from === 'string' ? [from] : from;
}

async function readBases(options: ImatrixOptions): Promise<Imatrix[]> {
  const bases: Imatrix[] = [];
  for (const path of pathsOf(options)) bases.push(await readImatrix(path, options.signal));
  return bases;
}

/** Hours may have gone into what was saved before the disk became full. */
function nameSavedPart(error: unknown, output: string, savedChunks: number): unknown {
  if (!LlamaNativeError.isInstance(error) || error.code !== 'DISK_FULL') return error;
  const message =
    `${error.message} The first ${savedChunks} chunks are in ${output}: with \`from\` set to it, the next call goes on ` +
    'behind them.';
  return createError('DISK_FULL', message, { cause: error, details: { ...error.details, savedChunks } });
}

/** One call: what was there before, what is collected, and where it is written. */
class ImatrixJob {
  readonly #windows: Windows;
  readonly #options: ImatrixOptions;
  readonly #textDigest: string;
  /** What this call adds to. */
  readonly #base: ReadonlyMap<string, ImatrixEntry>;
  readonly #datasets: readonly string[];
  readonly #begin: number;
  readonly #run: EvaluationRun;
  #overwrite: boolean;
  #completed: number;
  #saved: number;

  constructor(windows: Windows, bases: readonly Imatrix[], options: ImatrixOptions) {
    const { dataset = 'text', output, overwrite = false } = options;
    this.#windows = windows;
    this.#options = options;
    const { buffer, byteOffset, byteLength } = windows.tokens;
    this.#textDigest = createHash('sha256')
      .update(new Uint8Array(buffer, byteOffset, byteLength))
      .digest('hex');
    const broken = bases.find(
      ({ progress, chunkSize }) => progress?.textDigest === this.#textDigest && chunkSize === windows.length,
    );
    this.#begin = Math.min(broken?.progress?.completedChunks ?? 0, windows.count);
    this.#completed = this.#begin;
    this.#saved = this.#begin;
    this.#base = this.#addUp(bases.map(({ entries }) => entries));
    const earlier = bases.flatMap(({ datasets }) => datasets);
    this.#datasets = broken === undefined ? [...earlier, dataset] : earlier;
    this.#run = new EvaluationRun(windows.count - this.#begin, options);
    this.#overwrite = overwrite || pathsOf(options).some((path) => resolve(path) === resolve(output));
  }

  /** Refuses an output that cannot be written, before anything is computed. */
  async checkOutput(): Promise<void> {
    const probe = new Error('nothing to write yet');
    const { output } = this.#options;
    const write = () => Promise.reject(probe);
    await writeWholeFile(output, { overwrite: this.#overwrite }, write).catch((error: unknown) => {
      if (error !== probe) throw error;
    });
  }

  async run(evaluator: Evaluator): Promise<ImatrixResult> {
    const { saveEvery = 10 } = this.#options;
    const { count } = this.#windows;
    while (this.#completed < count) {
      const isFirst = this.#completed === this.#begin;
      await this.#evaluateNext(evaluator);
      const isDue = saveEvery > 0 && this.#completed - this.#saved >= saveEvery && this.#completed < count;
      if (isDue) await this.#save(await this.#total(evaluator));
      else if (isFirst) await this.#total(evaluator); // refuses what was made for another model early
    }
    const entries = this.#begin < count ? await this.#total(evaluator) : this.#base;
    await this.#save(entries);
    return this.#result(entries);
  }

  async #evaluateNext(evaluator: Evaluator): Promise<void> {
    const { length: window, first, count, beginWithBos } = this.#windows;
    const size = Math.min(evaluator.sequences, count - this.#completed);
    const tokens = tokensOf(this.#windows, this.#completed, size);
    const scores = await evaluator.score({ tokens, window, first, beginWithBos }, this.#options.signal);
    this.#run.evaluated(tokens.length, scores.evaluationMs);
    this.#completed += size;
    addChunks(this.#run, undefined, scores, scoresOf(this.#windows));
  }

  /** What was there before, and what was collected. */
  async #total(evaluator: Evaluator): Promise<ReadonlyMap<string, ImatrixEntry>> {
    const collected = await evaluator.getImatrix();
    return this.#addUp([this.#base, new Map(collected.map((entry) => [entry.name, entry]))]);
  }

  #addUp(parts: readonly ReadonlyMap<string, ImatrixEntry>[]): ReadonlyMap<string, ImatrixEntry> {
    const path = pathsOf(this.#options).join(', ');
    return parts.reduce((sum, part) => addEntries(path, sum, part), new Map());
  }

  async #save(entries: ReadonlyMap<string, ImatrixEntry>): Promise<void> {
    const { output, signal } = this.#options;
    const progress = { textDigest: this.#textDigest, completedChunks: this.#completed };
    const content = { entries, datasets: this.#datasets, chunkSize: this.#windows.length, progress };
    const file = { overwrite: this.#overwrite, neededBytes: imatrixBytes(entries), signal };
    await writeWholeFile(output, file, (path) => writeImatrix(path, content)).catch((error: unknown) => {
      throw this.#saved > this.#begin ? nameSavedPart(error, output, this.#saved) : error;
    });
    this.#saved = this.#completed;
    this.#overwrite = true; // from now on it is this call's own
  }

  #result(entries: ReadonlyMap<string, ImatrixEntry>): ImatrixResult {
    return {
      path: resolve(this.#options.output),
      evaluatedChunks: this.#completed - this.#begin,
      chunks: chunkCount(entries, this.#windows.length),
      tensors: entries.size,
      unusedExperts: [...entries].flatMap(([tensor, { counts }]) => {
        const unused = counts.reduce((sum, count) => sum + (count === 0 ? 1 : 0), 0);
        return unused === 0 ? [] : [{ tensor, unused, experts: counts.length }];
      }),
      perplexity: toPerplexity(this.#run.samples),
      tokensPerSecond: this.#run.tokensPerSecond,
      totalMs: this.#run.totalMs,
    };
  }
}

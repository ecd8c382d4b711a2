import { abortError } from '../arguments.js';
import { createError } from '../errors.js';
import { addonOf, type ModelHandle, type NativeModelInfo } from '../native/addon.js';
import type { EmbeddingQueues } from './embedding-queues.js';
import { tokenizePairs } from './rank-pairs.js';
import type { RankOptions } from './types.js';

/** Computes how well documents fit a query, with the head of a ranking model. */
export class Ranker {
  readonly #model: ModelHandle;
  readonly #queues: EmbeddingQueues;
  /** Which of the head's outputs is the score. */
  readonly #output: number;

  /** @throws ModelLoadError MODEL_UNSUPPORTED for a model that gives no score to a pair of texts. */
  constructor(model: ModelHandle, queues: EmbeddingQueues) {
    this.#model = model;
    this.#queues = queues;
    this.#output = findOutput(addonOf(model).getModelInfo(model));
  }

  /** The scores of checked documents under checked options, in their order. */
  async rank(query: string, documents: readonly string[], options: RankOptions): Promise<number[]> {
    const { onProgress, signal } = options;
    if (signal?.aborted) throw abortError(signal, 'Ranking');
    if (documents.length === 0) return [];
    const texts = await tokenizePairs(this.#model, { query, documents });
    const tokens = checkLengths(texts, this.#queues.longestText);
    const onBatch = (completed: number) => onProgress?.({ completed, total: documents.length, tokens });
    const request = { texts, normalize: false, onBatch };
    const outputs = await this.#queues.of('rank').run(request, 'Ranking', signal);
    return outputs.map((values) => values[this.#output] ?? Number.NaN);
  }
}

/**
 * The only output, or the one that says yes, as Qwen3's rerankers have it. What several other labels say of a pair, such
 * as that two sentences contradict each other, is no order.
 */
function findOutput({ classifierOutputs, classifierLabels }: NativeModelInfo): number {
  if (classifierOutputs === 1) return 0;
  const yes = classifierLabels.indexOf('yes');
  if (classifierOutputs > 1 && yes !== -1) return yes;
  const found =
    classifierOutputs === 0
      ? 'this one has no head that gives scores'
      : `this one tells ${classifierOutputs} labels apart (${classifierLabels.slice(0, 8).join(', ')})`;
  throw createError(
    'MODEL_UNSUPPORTED',
    `Expected a ranking model, with one score or a label "yes" for a pair of texts; ${found}. Take a reranker, such as ` +
      'bge-reranker-v2-m3 or Qwen3-Reranker, or compare embeddings.',
  );
}

/** @returns how many tokens there are in all. */
function checkLengths(texts: readonly Int32Array[], longest: number): number {
  for (const [index, { length: tokens }] of texts.entries()) {
    if (tokens <= longest) continue;
    throw createError(
      'PROMPT_TOO_LONG',
      `Expected a query with a document of at most ${longest} tokens; with documents[${index}] it has ${tokens}. Split ` +
        'the document, or load the model with a larger contextSize if it was trained for one.',
      { details: { index, tokens, longest } },
    );
  }
  return texts.reduce((sum, { length }) => sum + length, 0);
}

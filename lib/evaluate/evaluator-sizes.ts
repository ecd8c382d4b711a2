/** Sizes of a context that evaluates windows of a text. */
export interface EvaluatorSizes {
  /** Windows that are evaluated side by side. */
  readonly sequences: number;
  readonly contextSize: number;
  readonly batchSize: number;
  readonly microBatchSize: number;
}

/** As in llama-perplexity: more tokens at once gain nothing. */
const mostTokens = 2048;
const mostMicroTokens = 512;
/** Logits of one batch, which are what makes an evaluation large: a row of Qwen's vocabulary takes 608 kB. */
const mostLogitBytes = 640 * 1024 ** 2;
const fewestRows = 64;
/** llama.cpp pads the cells of a sequence to a multiple of this. */
const padding = 256;

/** Parts of equal length that are no longer than `most`: a remainder of a few tokens would be evaluated otherwise. */
function partLength(length: number, most: number): number {
  return Math.ceil(length / Math.ceil(length / most));
}

/** Chooses how many windows are evaluated at once, so that neither tokens nor logits become too many. */
export function evaluatorSizes(
  {
    window,
    first,
    collects,
  }: { readonly window: number; readonly first: number; readonly collects?: string },
  vocabularySize: number,
): EvaluatorSizes {
  const mostRows = Math.max(
    fewestRows,
    Math.floor(mostLogitBytes / (vocabularySize * Float32Array.BYTES_PER_ELEMENT)),
  );
  const rows = collects === undefined ? window - first : window;
  const fits = window <= mostTokens && rows <= mostRows;
  const sequences = fits ? Math.min(Math.floor(mostTokens / window), Math.floor(mostRows / rows), 256) : 1;
  const batchSize = fits ? window * sequences : partLength(window, Math.min(mostTokens, mostRows));
  return {
    sequences,
    contextSize: sequences * Math.ceil(window / padding) * padding,
    batchSize,
    microBatchSize: partLength(batchSize, mostMicroTokens),
  };
}

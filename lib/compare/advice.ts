import { formatBytes } from '../files/format-bytes.js';
import type { ComparedFile } from './types.js';

/** What advice needs of a file. */
export type Rated = Pick<
  ComparedFile,
  | 'name'
  | 'isReference'
  | 'sizeBytes'
  | 'fits'
  | 'memoryBytes'
  | 'perplexityLoss'
  | 'klDivergence'
  | 'topAgreement'
  | 'decodeTokensPerSecond'
>;

/** Whether no other file is at least as small and as near to the reference, and better in one of the two. */
export function isPareto(
  file: Pick<ComparedFile, 'sizeBytes' | 'klDivergence'>,
  files: readonly Pick<ComparedFile, 'sizeBytes' | 'klDivergence'>[],
): boolean {
  const divergence = file.klDivergence.value;
  return !files.some((other) => {
    const isNoWorse = other.sizeBytes <= file.sizeBytes && other.klDivergence.value <= divergence;
    return isNoWorse && (other.sizeBytes < file.sizeBytes || other.klDivergence.value < divergence);
  });
}

function smallest(files: readonly Rated[]): Rated | undefined {
  return [...files].sort((a, b) => a.sizeBytes - b.sizeBytes)[0];
}

function nearest(files: readonly Rated[]): Rated | undefined {
  return [...files].sort((a, b) => a.klDivergence.value - b.klDivergence.value)[0];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function change(loss: number): string {
  return `${loss < 0 ? '−' : '+'}${percent(Math.abs(loss))}`;
}

/**
 * Which file to use: the smallest that fits this machine and whose perplexity grew by no more than the tolerance; if there
 * is none, the one nearest to the reference that fits.
 */
export function advise(
  files: readonly Rated[],
  tolerance: number,
  machineBytes: number,
): { readonly recommended: string | undefined; readonly advice: string } {
  const fitting = files.filter(({ fits }) => fits);
  const good = smallest(fitting.filter(({ perplexityLoss }) => perplexityLoss.value <= tolerance));
  const chosen = good ?? nearest(fitting);
  if (chosen === undefined) {
    const advice = `None of the files fits this machine, which has ${formatBytes(machineBytes)} of memory: compare smaller types.`;
    return { recommended: undefined, advice };
  }
  const { name, sizeBytes, memoryBytes, decodeTokensPerSecond } = chosen;
  const costs = `it takes ${formatBytes(memoryBytes)} of memory and writes ${decodeTokensPerSecond.toFixed(1)} tokens a second here`;
  const opening = `Use ${name} (${formatBytes(sizeBytes)})`;
  return {
    recommended: name,
    advice: `${opening}, ${reasonFor(chosen, good !== undefined, tolerance)}; ${costs}.`,
  };
}

function reasonFor(
  { isReference, perplexityLoss, topAgreement }: Rated,
  isGood: boolean,
  tolerance: number,
): string {
  if (isReference)
    return `the model itself: no smaller file stays within ${percent(tolerance)} of its perplexity`;
  const figures = `${change(perplexityLoss.value)}, the same first choice for ${percent(topAgreement.value)} of tokens`;
  return isGood
    ? `the smallest file within ${percent(tolerance)} of the perplexity of the reference (${figures})`
    : `the nearest to the reference of those that fit, though its perplexity grew by more than ${percent(tolerance)} (${figures})`;
}

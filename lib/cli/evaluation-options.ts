import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { EvaluationProgress } from '../index.js';
import type { CommandContext } from './context.js';
import { UsageError } from './failures.js';
import { parseNumber } from './options.js';
import { readPipedText } from './terminal/piped-text.js';

/** What `imatrix`, `perplexity` and `compare` have in common. */
export interface TextOptions {
  text?: string;
  chunkSize?: number;
  chunks?: number;
  overwrite?: boolean;
  json?: boolean;
}

/** An option whose value is a whole number. */
export function countOption(flags: string, description: string, minimum = 1): Option {
  return new Option(flags, description).argParser((text: string) =>
    parseNumber(text, { minimum, isInteger: true }),
  );
}

/** Adds the options that say which text is read, and how. */
export function addTextOptions(command: Command): Command {
  return command
    .option('--text <path>', 'file with the text to read; it may be piped in instead')
    .addOption(countOption('--chunk-size <tokens>', 'tokens of a chunk (default: 512)', 16))
    .addOption(countOption('--chunks <count>', 'most chunks to read (default: all)'))
    .option('--overwrite', 'replace a file that is there already')
    .option('--json', 'print the result as JSON');
}

/** The text of the file that was named, or that is piped in. */
export async function readText(context: CommandContext, { text: path }: TextOptions): Promise<string> {
  if (path === undefined) {
    const piped = await readPipedText(context);
    if (piped) return piped;
    throw new UsageError('Expected a text to read.', 'name a file with --text, or pipe it in.');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const reason = error instanceof TypeError ? 'it is no text in UTF-8' : String((error as Error).message);
    throw new UsageError(`Cannot read the text ${path}: ${reason}.`);
  }
}

/** `3/15 · perplexity 12.34 ± 0.56 · 310 tokens/s`. */
export function describeEvaluation(progress: EvaluationProgress): string {
  const { completed, total, perplexity, klDivergence, tokensPerSecond } = progress;
  const parts = [`${completed}/${total}`, `perplexity ${formatEstimate(perplexity, 2)}`];
  if (klDivergence) parts.push(`KL ${klDivergence.value.toFixed(4)}`);
  parts.push(`${tokensPerSecond.toFixed(0)} tokens/s`);
  return parts.join(' · ');
}

/** `12.34 ± 0.56`. */
export function formatEstimate(
  { value, standardError }: { readonly value: number; readonly standardError: number },
  digits: number,
  unit = '',
): string {
  return `${value.toFixed(digits)} ± ${standardError.toFixed(digits)}${unit}`;
}

/** A share as percent: `98.12 ± 0.20 %`. */
export function formatShare({
  value,
  standardError,
}: {
  readonly value: number;
  readonly standardError: number;
}): string {
  return formatEstimate({ value: 100 * value, standardError: 100 * standardError }, 2, ' %');
}

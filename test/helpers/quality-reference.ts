/** Figures of llama.cpp's own programs for the quality of a model. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inTemporaryDirectory, runTool } from './llama-tools.js';

/** What both sides of a comparison are set to. */
export interface QualitySettings {
  readonly modelPath: string;
  readonly contextSize: number;
  readonly chunks?: number;
  readonly threads: number;
}

function settingArguments({ modelPath, contextSize, chunks, threads }: QualitySettings): string[] {
  return [
    ...['--model', modelPath],
    ...['--ctx-size', String(contextSize)],
    ...['--threads', String(threads)],
    ...['--gpu-layers', '0'],
    ...(chunks === undefined ? [] : ['--chunks', String(chunks)]),
  ];
}

/** The tools cut one newline off the end of a file. */
async function withText<Result>(text: string, work: (file: string) => Promise<Result>): Promise<Result> {
  return inTemporaryDirectory(async (directory) => {
    const file = path.join(directory, 'text.txt');
    await writeFile(file, `${text}\n`);
    return work(file);
  });
}

function find(output: string, pattern: RegExp): number {
  const value = pattern.exec(output)?.[1];
  if (value === undefined) throw new Error(`Expected ${pattern} in the output of the tool:\n${output}`);
  return Number(value);
}

/** Perplexity and its standard error. */
export async function referencePerplexity(
  settings: QualitySettings,
  text: string,
  extraArguments: readonly string[] = [],
): Promise<{ readonly value: number; readonly standardError: number }> {
  return withText(text, async (file) => {
    const toolArguments = [...settingArguments(settings), '--file', file, ...extraArguments];
    const { stdout, stderr } = await runTool('llama-perplexity', toolArguments);
    const output = stdout.toString() + stderr;
    return {
      value: find(output, /Final estimate: PPL = ([\d.]+)/),
      standardError: find(output, /Final estimate: PPL = [\d.]+ \+\/- ([\d.]+)/),
    };
  });
}

/** With a stride the tool prints no final estimate, only that after each chunk. */
export async function referenceStridedPerplexity(
  settings: QualitySettings,
  text: string,
  stride: number,
): Promise<number> {
  return withText(text, async (file) => {
    const batch = ['--batch-size', String(settings.contextSize), '--ppl-stride', String(stride)];
    const { stdout, stderr } = await runTool('llama-perplexity', [
      ...settingArguments(settings),
      ...batch,
      ...['--file', file],
    ]);
    const figures = [...(stdout.toString() + stderr).matchAll(/\[\d+\]([\d.]+),/g)];
    return Number(figures.at(-1)?.[1]);
  });
}

/** What the tool finds of a model beside a file of log-probabilities. */
export async function referenceDivergence(
  settings: QualitySettings,
  logitsPath: string,
): Promise<
  Record<'perplexity' | 'klDivergence' | 'median' | 'maximum' | 'topAgreement' | 'logRatio', number>
> {
  const { stdout, stderr } = await runTool('llama-perplexity', [
    ...settingArguments(settings),
    '--kl-divergence',
    ...['--kl-divergence-base', logitsPath],
  ]);
  const output = stdout.toString() + stderr;
  return {
    perplexity: find(output, /Mean PPL\(Q\)\s*: +([\d.]+)/),
    logRatio: find(output, /Mean ln\(PPL\(Q\)\/PPL\(base\)\)\s*: +(-?[\d.]+)/),
    klDivergence: find(output, /Mean {4}KLD: +(-?[\d.]+)/),
    median: find(output, /Median {2}KLD: +(-?[\d.]+)/),
    maximum: find(output, /Maximum KLD: +(-?[\d.]+)/),
    topAgreement: find(output, /Same top p: +([\d.]+)/) / 100,
  };
}

/** Writes an importance matrix. */
export async function writeReferenceImatrix(
  settings: QualitySettings,
  text: string,
  output: string,
  extraArguments: readonly string[] = [],
): Promise<void> {
  await withText(text, async (file) => {
    const toolArguments = [...settingArguments(settings), '--file', file, '--output-file', output];
    await runTool('llama-imatrix', [...toolArguments, ...extraArguments]);
  });
}

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ComparedFile, CompareOptions, CompareProgress, Comparison } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import {
  addTextOptions,
  countOption,
  describeEvaluation,
  readText,
  type TextOptions,
} from '../evaluation-options.js';
import { resolveModelPath } from '../open-model.js';
import { addSourceOptions, parseNumber, type SourceOptions, withoutUndefined } from '../options.js';
import { formatBytes } from '../terminal/format.js';
import { createStepDisplay, type StepDisplay } from '../terminal/step-display.js';

interface CompareCommandOptions extends SourceOptions, TextOptions {
  types?: string[];
  file?: string[];
  directory?: string;
  imatrix?: string;
  allowRequantize?: boolean;
  rounds?: number;
  tolerance?: number;
  threads?: number;
  gpuLayers?: number | 'max';
  output?: string;
}

/** Adds `compare <model>`. */
export function addCompareCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('compare')
    .summary('find the quantization to use on this machine')
    .description('Compare quantizations of a model: size, memory, speed, and how far each is from the model.')
    .argument('<model>', 'what they are made from and compared with, best one of 16 bits')
    .option(
      '--types <list>',
      'types to compare, as in Q4_K_M,Q8_0; what is missing is made',
      (list: string) => list.split(','),
    )
    .option(
      '--file <path>',
      'a file to compare; may be given several times',
      (path: string, before: string[] = []) => [...before, path],
    )
    .option('--directory <path>', 'where quantizations are made and kept (default: they are removed again)')
    .option('--imatrix <path>', 'importance matrix for the quantizations')
    .option('--allow-requantize', 'quantize also a model that is quantized itself')
    .addOption(countOption('--rounds <count>', 'how often speed is measured (default: 3)'))
    .addOption(
      new Option('--tolerance <percent>', 'growth of the perplexity that is accepted (default: 2)').argParser(
        (text: string) => parseNumber(text, { minimum: 0, maximum: 10_000 }) / 100,
      ),
    )
    .addOption(countOption('--threads <count>', 'threads for evaluation'))
    .addOption(
      new Option('--gpu-layers <count>', 'layers to hold on the GPU, or "max"').argParser(parseLayers),
    )
    .option('-o, --output <path>', 'draw quality over size, as SVG');
  addSourceOptions(addTextOptions(command)).action((source: string, options: CompareCommandOptions) =>
    compareFiles(context, source, options),
  );
}

function parseLayers(text: string): number | 'max' {
  if (text === 'max') return text;
  const layers = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(layers) || layers < 0)
    throw new InvalidArgumentError('Expected a whole number, 0 or more, or "max".');
  return layers;
}

async function compareFiles(
  context: CommandContext,
  source: string,
  options: CompareCommandOptions,
): Promise<void> {
  const text = await readText(context, options);
  const library = await context.loadLibrary();
  const path = await resolveModelPath(context, source, options);
  const display = await createStepDisplay(context.notes);
  try {
    const { types, file, chunkSize, json: _, cacheDirectory: __, endpoint: ___, ...others } = options;
    const comparison = await library.compare(path, {
      ...(withoutUndefined({
        ...others,
        types,
        files: file,
        contextSize: chunkSize,
      }) as Partial<CompareOptions>),
      text,
      onProgress: (progress) => showProgress(display, progress),
      signal: context.interrupts.signal,
    });
    display.finish();
    if (options.json === true) writeJson(context, comparison);
    else await printComparison(context, comparison);
  } finally {
    display.finish();
  }
}

function showProgress(display: StepDisplay, step: CompareProgress): void {
  if (step.stage === 'quantize') {
    display.update(`Making ${step.file}`, step.progress.fraction, '');
  } else if (step.stage === 'quality') {
    const { progress } = step;
    display.update(
      `Reading with ${step.file}`,
      progress.completed / progress.total,
      describeEvaluation(progress),
    );
  } else {
    const { completed, total } = step;
    display.update(`Timing ${step.file}`, completed / total, `${completed}/${total}`);
  }
}

async function printComparison(context: CommandContext, comparison: Comparison): Promise<void> {
  const { renderTable } = await import('../terminal/table.js');
  const { colours } = context.output;
  const right = { align: 'right' } as const;
  const columns = [
    { title: '' },
    { title: 'FILE' },
    ...['SIZE', 'MEMORY', 'PREFILL', 'DECODE', 'PERPLEXITY', 'GROWTH', 'KL', 'SAME TOP'].map((title) => ({
      title,
      ...right,
    })),
  ];
  const rows = comparison.files.map((file) => toRow(file, comparison.recommended));
  context.output.write(renderTable(columns, rows, colours.bold));
  context.output.write(`\n${comparison.advice}\n`);
  if (comparison.plotPath !== undefined) context.output.write(`${comparison.plotPath}\n`);
  const { chunks, contextSize, rounds } = comparison;
  const times = rounds === 1 ? 'measured once' : `medians of ${rounds}`;
  const how = `${chunks} chunks of ${contextSize} tokens; speeds in tokens a second, ${times}`;
  writeNote(context, `${how}. → recommended, * no file is smaller and nearer to the reference.`);
}

function toRow(file: ComparedFile, recommended: string | undefined): string[] {
  const { name, isReference, isPareto, perplexity, perplexityLoss, klDivergence, topAgreement } = file;
  const mark = name === recommended ? '→' : isPareto && !isReference ? '*' : '';
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const loss = `${perplexityLoss.value < 0 ? '' : '+'}${percent(perplexityLoss.value)}`;
  return [
    mark,
    isReference ? `${name} (reference)` : name,
    formatBytes(file.sizeBytes),
    formatBytes(file.memoryBytes),
    file.prefillTokensPerSecond.toFixed(1),
    file.decodeTokensPerSecond.toFixed(1),
    `${perplexity.value.toFixed(3)} ± ${perplexity.standardError.toFixed(3)}`,
    ...(isReference ? ['', '', ''] : [loss, klDivergence.value.toFixed(4), percent(topAgreement.value)]),
  ];
}

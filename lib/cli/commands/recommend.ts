import type { Command } from 'commander';
import type { Recommendation } from '../../index.js';
import { type CommandContext, exitCodes, writeJson, writeNote } from '../context.js';
import { addMemoryOptions, addSourceOptions, type SourceOptions, withoutUndefined } from '../options.js';
import { formatBytes } from '../terminal/format.js';

interface RecommendOptions extends SourceOptions {
  contextSize?: number;
  memory?: number;
  json?: boolean;
}

/** Adds `recommend <repository>`. */
export function addRecommendCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('recommend')
    .summary('choose a quantization that fits this machine')
    .description('Choose the best quantization of a repository that fits, and the largest context beside it.')
    .argument('<repository>', 'hf:owner/repo[@revision]')
    .option('--json', 'print one JSON object, with all that was considered');
  addMemoryOptions(command);
  addSourceOptions(command).action((repository: string, options: RecommendOptions) =>
    recommend(context, repository, options),
  );
}

async function recommend(
  context: CommandContext,
  repository: string,
  options: RecommendOptions,
): Promise<void> {
  const library = await context.loadLibrary();
  const { json, ...given } = options;
  const advice = await library.recommend(repository, {
    ...withoutUndefined(given),
    signal: context.interrupts.signal,
  });
  if (advice.choice === undefined) context.exitCode = exitCodes.failure;
  if (json === true) writeJson(context, advice);
  else await print(context, advice);
}

const verdicts = {
  chosen: '✓ chosen',
  'does-not-fit': 'does not fit',
  'lower-quality': 'fits; a better one does',
  'no-gain': 'no better than 8 bits',
} as const;

const columns = [
  { title: 'QUANTIZATION' },
  { title: 'SIZE', align: 'right' },
  { title: 'NEEDS', align: 'right' },
  { title: 'VERDICT' },
] as const;

async function print(context: CommandContext, { choice, reason, candidates }: Recommendation): Promise<void> {
  const { renderTable } = await import('../terminal/table.js');
  const rows = candidates.map(({ quantization, file, sizeBytes, memory, verdict }) => [
    quantization ?? file,
    formatBytes(sizeBytes),
    formatBytes(memory.neededBytes),
    verdicts[verdict],
  ]);
  context.output.write(`${renderTable(columns, rows, context.output.colours.bold)}\n${reason}\n`);
  if (choice === undefined) return;
  const layers =
    typeof choice.gpuLayers === 'number' && choice.gpuLayers > 0 ? ` --gpu-layers ${choice.gpuLayers}` : '';
  writeNote(context, `llama-native chat ${choice.source} --context-size ${choice.contextSize}${layers}`);
}

import type { Command } from 'commander';
import { type CommandContext, writeJson } from '../context.js';
import { resolveModelPath } from '../open-model.js';
import { addSourceOptions, type SourceOptions } from '../options.js';

interface PullOptions extends SourceOptions {
  update?: boolean;
  json?: boolean;
}

/** Adds `pull [model]`. */
export function addPullCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('pull')
    .summary('download a model')
    .description('Download a model, or go on where a download stopped. Prints the path of the file.')
    .argument('[model]', 'hf:owner/repo[:file-or-quantization] or URL (default: a small model)')
    .option('--update', 'ask for a newer version although one is downloaded')
    .option('--json', 'print the result as JSON');
  addSourceOptions(command).action((source: string | undefined, options: PullOptions) =>
    pull(context, source, options),
  );
}

async function pull(
  context: CommandContext,
  source: string | undefined,
  options: PullOptions,
): Promise<void> {
  const path = await resolveModelPath(context, source, options);
  if (options.json === true) {
    const { stat } = await import('node:fs/promises');
    writeJson(context, { path, sizeBytes: (await stat(path)).size });
  } else {
    context.output.write(`${path}\n`);
  }
}

import type { Command } from 'commander';
import { type CommandContext, writeJson } from '../context.js';
import { UsageError } from '../failures.js';
import { resolveModelPath } from '../open-model.js';
import { addSourceOptions, numberOption, type SourceOptions, withoutUndefined } from '../options.js';
import { createProgressDisplay } from '../terminal/progress-display.js';

interface PullOptions extends SourceOptions {
  revision?: string;
  connections?: number;
  checkpoint?: boolean;
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
    .option('--revision <name>', 'branch, tag or commit of the repository')
    .option('--checkpoint', 'fetch the safetensors of a repository with all that a conversion needs')
    .addOption(
      numberOption('--connections <count>', 'connections for a large file (default: 4)', {
        minimum: 1,
        maximum: 16,
        isInteger: true,
      }),
    )
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
  const named = withRevision(source, options.revision);
  const path =
    options.checkpoint === true
      ? await pullCheckpoint(context, named, options)
      : await resolveModelPath(context, named, options);
  if (options.json === true) {
    writeJson(context, { path, sizeBytes: await sizeOf(path) });
  } else {
    context.output.write(`${path}\n`);
  }
}

/** Puts a revision into the name of a model, where the name has a place for it. */
function withRevision(source: string | undefined, revision: string | undefined): string | undefined {
  if (revision === undefined) return source;
  const [, repository, rest = ''] = /^(hf:(?:\/\/)?[^/@:]+\/[^/@:]+)(:.*)?$/i.exec(source ?? '') ?? [];
  if (repository !== undefined) return `${repository}@${revision}${rest}`;
  throw new UsageError(
    '--revision goes with a model of the hub that names no revision itself.',
    'write hf:owner/repo.',
  );
}

async function pullCheckpoint(
  context: CommandContext,
  source: string | undefined,
  options: PullOptions,
): Promise<string> {
  if (source === undefined) throw new UsageError('--checkpoint needs a repository.', 'write hf:owner/repo.');
  const library = await context.loadLibrary();
  const progress = await createProgressDisplay(context.notes);
  const { cacheDirectory, endpoint, token, update, connections } = options;
  try {
    return await library.downloadCheckpoint(source, {
      ...withoutUndefined({ cacheDirectory, endpoint, token, update, connections }),
      onProgress: progress.update,
      signal: context.interrupts.signal,
    });
  } finally {
    progress.finish();
  }
}

/** Bytes of a file, of all parts of a split model, or of all files in a folder. */
async function sizeOf(path: string): Promise<number> {
  const { readdir, stat } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const info = await stat(path);
  if (!info.isDirectory()) {
    const { partsOf } = await import('../../hub/quantization.js');
    const sizes = await Promise.all(partsOf(path).map(async (part) => (await stat(part)).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  }
  const names = await readdir(path);
  const sizes = await Promise.all(names.map((name) => sizeOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

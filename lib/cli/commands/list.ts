import type { Command } from 'commander';
import type { CachedModel } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { displayNameOf } from '../model-names.js';
import { withoutUndefined } from '../options.js';
import { formatAge, formatBytes } from '../terminal/format.js';

interface ListOptions {
  cacheDirectory?: string;
  json?: boolean;
}

/** Adds `list`. */
export function addListCommand(program: Command, context: CommandContext): void {
  program
    .command('list')
    .alias('ls')
    .summary('show the downloaded models')
    .description('Show the models in the download cache, which is shared with the Hugging Face tools.')
    .option('--cache-directory <path>', 'where downloads are kept (default: the Hugging Face cache)')
    .option('--json', 'print an array of JSON objects')
    .action((options: ListOptions) => list(context, options));
}

async function list(context: CommandContext, options: ListOptions): Promise<void> {
  const library = await context.loadLibrary();
  const models = await library.listCachedModels(withoutUndefined({ cacheDirectory: options.cacheDirectory }));
  if (options.json === true) {
    const entries = models.map((model) => ({ ...model, quantization: library.quantizationOf(model.file) }));
    writeJson(context, entries);
    return;
  }
  if (models.length === 0) {
    writeNote(context, 'No model is downloaded yet: `llama-native pull` fetches the default one.');
    return;
  }
  const { renderTable } = await import('../terminal/table.js');
  const rows = models.map((model) =>
    rowOf(model, displayNameOf(model, models), library.quantizationOf(model.file)),
  );
  const { bold } = context.output.colours;
  context.output.write(renderTable(columns, rows, bold));
}

const columns = [
  { title: 'NAME' },
  { title: 'QUANTIZATION' },
  { title: 'SIZE', align: 'right' },
  { title: 'MODIFIED' },
] as const;

function rowOf(model: CachedModel, name: string, quantization: string | undefined): string[] {
  return [name, quantization ?? '-', formatBytes(model.sizeBytes), formatAge(model.lastModified)];
}

import type { Command } from 'commander';
import type { CachedModel, MemoryFit } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { displayNameOf } from '../model-names.js';
import { addMemoryOptions, addSourceOptions, type SourceOptions, withoutUndefined } from '../options.js';
import { formatAge, formatBytes } from '../terminal/format.js';

interface ListOptions extends SourceOptions {
  contextSize?: number;
  memory?: number;
  json?: boolean;
}

/** Adds `list`. */
export function addListCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('list')
    .alias('ls')
    .summary('show the downloaded models, or what a repository has')
    .description(
      'Show the models in the download cache, which is shared with the Hugging Face tools; or, of a repository on ' +
        'the hub, its quantizations, their sizes and which fit this machine.',
    )
    .argument('[repository]', 'hf:owner/repo[@revision] (default: the download cache)')
    .option('--json', 'print JSON');
  addMemoryOptions(command);
  addSourceOptions(command).action((repository: string | undefined, options: ListOptions) =>
    repository === undefined ? listCache(context, options) : listRepository(context, repository, options),
  );
}

async function listRepository(
  context: CommandContext,
  repository: string,
  options: ListOptions,
): Promise<void> {
  const library = await context.loadLibrary();
  const { json, ...given } = options;
  const listing = await library.listModelFiles(repository, {
    ...withoutUndefined(given),
    signal: context.interrupts.signal,
  });
  if (json === true) {
    writeJson(context, listing);
    return;
  }
  const { renderTable } = await import('../terminal/table.js');
  const rows = listing.files.map((file) => [
    file.quantization ?? file.file,
    formatBytes(file.sizeBytes),
    formatBytes(file.memory.neededBytes),
    describeFit(file.memory),
    [file.isDefault ? 'default' : '', file.isDownloaded ? 'downloaded' : ''].filter(Boolean).join(', '),
  ]);
  context.output.write(renderTable(repositoryColumns, rows, context.output.colours.bold));
  const [first] = listing.files;
  if (first === undefined) return;
  const { gpuBytes, hostBytes } = listing.available;
  const gpu = gpuBytes > 0 ? `${formatBytes(gpuBytes)} on GPUs and ` : '';
  writeNote(
    context,
    `NEEDS is with a context of ${first.memory.contextSize} tokens. Free: ${gpu}${formatBytes(hostBytes)} of memory.`,
  );
}

const repositoryColumns = [
  { title: 'QUANTIZATION' },
  { title: 'SIZE', align: 'right' },
  { title: 'NEEDS', align: 'right' },
  { title: 'FITS' },
  { title: '' },
] as const;

function describeFit({ fits, place }: MemoryFit): string {
  if (!fits) return 'no';
  return { gpu: 'GPU', both: 'GPU and memory', host: 'memory' }[place];
}

async function listCache(context: CommandContext, options: ListOptions): Promise<void> {
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

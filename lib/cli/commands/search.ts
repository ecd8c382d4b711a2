import { type Command, Option } from 'commander';
import type { ModelOrder, SearchModelsOptions } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { numberOption, withoutUndefined } from '../options.js';
import { formatAge } from '../terminal/format.js';

interface SearchOptions {
  author?: string;
  limit?: number;
  sort?: ModelOrder;
  filter?: string;
  endpoint?: string;
  token?: string;
  json?: boolean;
}

/** Adds `search <words>`. */
export function addSearchCommand(program: Command, context: CommandContext): void {
  program
    .command('search')
    .summary('search the hub for models')
    .description(
      'Search the hub for repositories by words of their names; those with GGUF files unless told otherwise.',
    )
    .argument('<words...>', 'parts of the name')
    .option('--author <name>', 'only of this user or organization')
    .addOption(
      numberOption('--limit <count>', 'most results (default: 20)', {
        minimum: 1,
        maximum: 1000,
        isInteger: true,
      }),
    )
    .addOption(
      new Option('--sort <order>', 'what comes first (default: downloads)').choices([
        'downloads',
        'likes',
        'lastModified',
        'createdAt',
        'trendingScore',
      ]),
    )
    .option('--filter <tag>', 'only with this tag, such as safetensors; "" for all (default: gguf)')
    .option('--endpoint <url>', "the hub's address (default: HF_ENDPOINT, then the Hugging Face hub)")
    .option('--token <token>', 'access token for the hub (default: HF_TOKEN, which other users cannot see)')
    .option('--json', 'print an array of JSON objects')
    .action((words: string[], options: SearchOptions) => search(context, words.join(' '), options));
}

async function search(context: CommandContext, query: string, options: SearchOptions): Promise<void> {
  const library = await context.loadLibrary();
  const { json, ...given } = options;
  const searchOptions: SearchModelsOptions = withoutUndefined(given);
  const found = await library.searchModels(query, { ...searchOptions, signal: context.interrupts.signal });
  if (json === true) {
    writeJson(context, found);
    return;
  }
  if (found.length === 0) {
    writeNote(context, 'Nothing was found. Try fewer words, or --filter "" for models of all formats.');
    return;
  }
  const { renderTable } = await import('../terminal/table.js');
  const rows = found.map(({ source, downloads, likes, lastModified, isGated }) => [
    isGated ? `${source} (gated)` : source,
    formatShort(downloads),
    formatShort(likes),
    formatAge(lastModified),
  ]);
  context.output.write(renderTable(columns, rows, context.output.colours.bold));
}

const columns = [
  { title: 'NAME' },
  { title: 'DOWNLOADS', align: 'right' },
  { title: 'LIKES', align: 'right' },
  { title: 'MODIFIED' },
] as const;

function formatShort(count: number): string {
  if (count < 1000) return String(count);
  return count < 999_950 ? `${(count / 1000).toFixed(1)}k` : `${(count / 1e6).toFixed(1)}M`;
}

import type { Command } from 'commander';
import { type CommandContext, exitCodes, writeJson, writeNote } from '../context.js';
import { UsageError } from '../failures.js';
import { withoutUndefined } from '../options.js';
import { confirm } from '../terminal/confirm.js';
import { formatBytes } from '../terminal/format.js';

interface RemoveOptions {
  yes?: boolean;
  cacheDirectory?: string;
  json?: boolean;
}

/** Adds `rm <model>`. */
export function addRemoveCommand(program: Command, context: CommandContext): void {
  program
    .command('rm')
    .summary('remove a downloaded model')
    .description('Remove a model from the download cache. Files elsewhere are never touched.')
    .argument('<model>', 'as `llama-native list` names it')
    .option('-y, --yes', 'do not ask')
    .option('--cache-directory <path>', 'where downloads are kept (default: the Hugging Face cache)')
    .option('--json', 'print the result as JSON')
    .action((name: string, options: RemoveOptions) => remove(context, name, options));
}

async function remove(context: CommandContext, name: string, options: RemoveOptions): Promise<void> {
  if (options.yes !== true && !(await isConfirmed(context, name))) {
    writeNote(context, 'Nothing was removed.');
    context.exitCode = exitCodes.failure;
    return;
  }
  const library = await context.loadLibrary();
  const freedBytes = await library.removeCachedModel(
    name,
    withoutUndefined({ cacheDirectory: options.cacheDirectory }),
  );
  if (options.json === true) {
    writeJson(context, { name, freedBytes });
  } else {
    context.output.write(`Removed ${name}: ${formatBytes(freedBytes)} freed.\n`);
  }
}

async function isConfirmed(context: CommandContext, name: string): Promise<boolean> {
  if (context.input.isTTY !== true || !context.notes.isTerminal) {
    throw new UsageError(`Removing ${name} needs a yes, and there is no terminal to ask.`, 'add --yes.');
  }
  return confirm(context, `Remove ${name}? [y/N] `);
}

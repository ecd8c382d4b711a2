import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { CopyGgufOptions, GgufMetadataChanges } from '../../index.js';
import type { CommandContext } from '../context.js';
import { writeJson } from '../context.js';
import { UsageError } from '../failures.js';
import { parseAssignment } from '../inspect/parse-assignment.js';
import { numberOption, withoutUndefined } from '../options.js';
import { createWriteDisplay } from '../terminal/write-display.js';

interface OutputFlags {
  overwrite?: boolean;
  json?: boolean;
}

interface SplitFlags extends OutputFlags {
  maxTensors?: number;
  maxSize?: number;
  metadataFirst?: boolean;
}

interface SetFlags extends OutputFlags {
  remove?: string[];
  chatTemplateFile?: string;
}

/** Adds `gguf split`, `gguf merge` and `gguf set`. */
export function addGgufCommand(program: Command, context: CommandContext): void {
  const gguf = program
    .command('gguf')
    .summary('split, merge and edit model files')
    .description('Split, merge and edit model files. `inspect` shows what they hold.');
  const withOutput = (command: Command) =>
    command
      .option('--overwrite', 'replace files that are there already')
      .option('--json', 'print the result as JSON');
  withOutput(
    gguf
      .command('split')
      .description('Split a model into files named like out-00001-of-00003.gguf. Prints their paths.')
      .argument('<input>', 'path of a .gguf file')
      .argument('<prefix>', 'path and beginning of the names to write')
      .addOption(
        numberOption('--max-tensors <count>', 'most tensors of a file', { minimum: 1, isInteger: true }),
      )
      .addOption(
        numberOption('--max-size <megabytes>', 'most megabytes of tensors in a file', { minimum: 0.001 }),
      )
      .option('--metadata-first', 'put all metadata into a first file without tensors'),
  ).action((input: string, prefix: string, flags: SplitFlags) => split(context, input, prefix, flags));
  withOutput(
    gguf
      .command('merge')
      .description('Put the files of a split model together.')
      .argument('<first>', 'path of the first file; the others lie beside it')
      .argument('<output>', 'path to write'),
  ).action((first: string, output: string, flags: OutputFlags) => merge(context, first, output, flags));
  withOutput(
    gguf
      .command('set')
      .description('Copy a model with other metadata. The tensors stay as they are.')
      .argument('<input>', 'path of a .gguf file')
      .argument('<output>', 'path to write')
      .argument('[key=value...]', 'new values; key:type=value for keys that are not there yet')
      .option(
        '--remove <key>',
        'a key to take away; may be given several times',
        (key, keys: string[] = []) => [...keys, key],
      )
      .option('--chat-template-file <path>', 'a Jinja chat template to put in'),
  ).action((input: string, output: string, values: string[], flags: SetFlags) =>
    set(context, input, output, values, flags),
  );
}

async function split(
  context: CommandContext,
  input: string,
  prefix: string,
  flags: SplitFlags,
): Promise<void> {
  const { maxTensors, maxSize, metadataFirst } = flags;
  const library = await context.loadLibrary();
  const limits = withoutUndefined({
    maxTensors,
    metadataFirst,
    maxBytes: maxSize === undefined ? undefined : Math.round(maxSize * 1e6),
  });
  const paths = await withProgress(context, flags, (options) =>
    library.splitGguf(input, prefix, { ...limits, ...options }),
  );
  if (flags.json === true) writeJson(context, { paths });
  else context.output.write(paths.map((path) => `${path}\n`).join(''));
}

async function merge(
  context: CommandContext,
  first: string,
  output: string,
  flags: OutputFlags,
): Promise<void> {
  const library = await context.loadLibrary();
  await withProgress(context, flags, (options) => library.mergeGguf(first, output, options));
  printPath(context, output, flags);
}

async function set(
  context: CommandContext,
  input: string,
  output: string,
  values: readonly string[],
  flags: SetFlags,
): Promise<void> {
  const library = await context.loadLibrary();
  const { metadata } = await library.readGgufHeader(input, { signal: context.interrupts.signal });
  const changes: Record<string, GgufMetadataChanges[string]> = {};
  for (const value of values) {
    const { key, input: given } = parseAssignment(value, metadata);
    changes[key] = given;
  }
  for (const key of flags.remove ?? []) {
    if (!metadata.has(key))
      throw new UsageError(`There is no key ${key} to remove.`, '`inspect --json` lists them.');
    changes[key] = null;
  }
  if (flags.chatTemplateFile !== undefined) {
    const value = await readFile(flags.chatTemplateFile, 'utf8');
    changes['tokenizer.chat_template'] = { type: 'string', value };
  }
  await withProgress(context, flags, (options) => library.editGgufMetadata(input, output, changes, options));
  printPath(context, output, flags);
}

async function withProgress<Result>(
  context: CommandContext,
  { overwrite = false }: OutputFlags,
  work: (options: CopyGgufOptions) => Promise<Result>,
): Promise<Result> {
  const display = await createWriteDisplay(context.notes);
  try {
    return await work({ overwrite, onProgress: display.update, signal: context.interrupts.signal });
  } finally {
    display.finish();
  }
}

function printPath(context: CommandContext, path: string, { json }: OutputFlags): void {
  if (json === true) writeJson(context, { path });
  else context.output.write(`${path}\n`);
}

import type { Command } from 'commander';
import type { BuildOptions } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { UsageError } from '../failures.js';
import { parseNumber, withoutUndefined } from '../options.js';
import { createBuildDisplay } from '../terminal/build-display.js';

interface BuildCommandOptions {
  cuda?: boolean;
  portable?: boolean;
  arch?: string;
  jobs?: number;
  json?: boolean;
  verbose?: boolean;
}

/** Adds `build`. */
export function addBuildCommand(program: Command, context: CommandContext): void {
  program
    .command('build')
    .summary('compile the addon on this machine')
    .description(
      'Compile the addon from the sources in this package. A second build compiles only what changed.',
    )
    .option('--cuda', 'with support for NVIDIA GPUs')
    .option('--arch <list>', "GPU generations for --cuda, such as 86 (default: this machine's)")
    .option('--portable', 'for any processor of this architecture instead of just this one')
    .option('--jobs <count>', 'compilers at once (default: one for each processor)', (text) =>
      parseNumber(text, { minimum: 1, isInteger: true }),
    )
    .option('--verbose', 'show all output of the compilers')
    .option('--json', 'print the result as JSON')
    .action((options: BuildCommandOptions) => build(context, options));
}

async function build(context: CommandContext, options: BuildCommandOptions): Promise<void> {
  if (options.arch !== undefined && options.cuda !== true) {
    throw new UsageError('--arch names GPU generations and needs --cuda beside it.');
  }
  const variant = variantOf(options);
  const library = await context.loadLibrary();
  const display = await createBuildDisplay(context.notes, options.verbose === true);
  const startedAt = performance.now();
  try {
    const { addonPath, toolchain } = await library.buildAddon({
      variant,
      ...withoutUndefined({ cudaArchitectures: options.arch, jobs: options.jobs }),
      onOutput: display.write,
      signal: context.interrupts.signal,
    });
    display.finish();
    if (options.json === true) {
      writeJson(context, { variant, addonPath, toolchain });
    } else {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      writeNote(context, `Built the ${variant} addon in ${seconds} s:`);
      context.output.write(`${addonPath}\n`);
    }
  } finally {
    display.finish();
  }
}

function variantOf(options: BuildCommandOptions): BuildOptions['variant'] {
  if (options.cuda === true) {
    return 'cuda';
  }
  return options.portable === true ? 'portable' : 'local';
}

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { createError } from '../errors.js';
import { addBuildCommand } from './commands/build.js';
import { addChatCommand } from './commands/chat.js';
import { addCompareCommand } from './commands/compare.js';
import { addConvertCommand } from './commands/convert.js';
import { addDoctorCommand } from './commands/doctor.js';
import { addGgufCommand } from './commands/gguf.js';
import { addImatrixCommand } from './commands/imatrix.js';
import { addInspectCommand } from './commands/inspect.js';
import { addListCommand } from './commands/list.js';
import { addPerplexityCommand } from './commands/perplexity.js';
import { addPullCommand } from './commands/pull.js';
import { addQuantizeCommand } from './commands/quantize.js';
import { addRecommendCommand } from './commands/recommend.js';
import { addRemoveCommand } from './commands/rm.js';
import { addRunCommand } from './commands/run.js';
import { addSearchCommand } from './commands/search.js';
import { addServeCommand } from './commands/serve.js';
import { type CommandContext, exitCodes } from './context.js';
import { reportFailure, UsageError } from './failures.js';

const help = `
A model is a path, hf:owner/repo[:file-or-quantization], or an https URL. With no model named, a small default is
used.

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 ended by Ctrl-C.
Environment: HF_TOKEN, HF_ENDPOINT, HF_HOME and HF_HUB_CACHE as in the Hugging Face tools; NO_COLOR and FORCE_COLOR;
LLAMA_NATIVE_DEBUG=1 shows where an error happened.`;

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

/** The whole command line, not yet parsed. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('llama-native')
    .description('Run large language models on this machine.')
    .version(readVersion())
    .addHelpText('after', help)
    .configureOutput({
      writeOut: (text) => context.output.write(text),
      writeErr: (text) => context.notes.write(text),
      // Errors are reported by runCommandLine, all in one form.
      outputError: () => {},
      getOutHasColors: () => context.output.colours.isColorSupported,
      getErrHasColors: () => context.notes.colours.isColorSupported,
    })
    .configureHelp({
      styleTitle: (text) => context.output.colours.bold(text),
      styleCommandText: (text) => context.output.colours.cyan(text),
      styleOptionTerm: (text) => context.output.colours.cyan(text),
      styleSubcommandTerm: (text) => context.output.colours.cyan(text),
    })
    .exitOverride();
  for (const addCommand of [
    addChatCommand,
    addRunCommand,
    addServeCommand,
    addPullCommand,
    addListCommand,
    addSearchCommand,
    addRecommendCommand,
    addRemoveCommand,
    addInspectCommand,
    addQuantizeCommand,
    addGgufCommand,
    addConvertCommand,
    addImatrixCommand,
    addPerplexityCommand,
    addCompareCommand,
    addDoctorCommand,
    addBuildCommand,
  ]) {
    addCommand(program, context);
  }
  return program;
}

/** Does what the arguments say and resolves to the exit code. Every error ends here, as text or as JSON. */
export async function runCommandLine(
  programArguments: readonly string[],
  context: CommandContext,
): Promise<number> {
  const program = createProgram(context);
  const { interrupts } = context;
  try {
    await program.parseAsync(programArguments, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (interrupts.isOutputClosed) {
      return exitCodes.ok;
    }
    if (error instanceof CommanderError) {
      return reportMisuse(context, error, program, programArguments);
    }
    // Whatever fails after Ctrl-C fails because of it.
    const failure = interrupts.signal.aborted
      ? createError('ABORTED', 'Cancelled.', { cause: error })
      : error;
    return reportFailure(context, failure, asksForJson(programArguments)).exitCode;
  }
}

/** Help and version come as errors of commander too; with no command at all it has already written the help. */
function reportMisuse(
  context: CommandContext,
  error: CommanderError,
  program: Command,
  programArguments: readonly string[],
): number {
  if (error.exitCode === 0) {
    return exitCodes.ok;
  }
  if (error.code !== 'commander.help') {
    const usageError = toUsageError(error, program, programArguments);
    reportFailure(context, usageError, asksForJson(programArguments));
  }
  return exitCodes.usage;
}

/** The option cannot be asked for by commander, since it may be the arguments that are wrong. */
function asksForJson(programArguments: readonly string[]): boolean {
  const end = programArguments.indexOf('--');
  return programArguments.slice(0, end < 0 ? undefined : end).includes('--json');
}

function toUsageError(
  error: CommanderError,
  program: Command,
  programArguments: readonly string[],
): UsageError {
  const command = program.commands.find((candidate) => programArguments.includes(candidate.name()));
  const helpCommand = ['llama-native', command?.name(), '--help']
    .filter((part) => part !== undefined)
    .join(' ');
  const message = error.message.replace(/^error: /, '');
  return new UsageError(message, `\`${helpCommand}\` shows what can be given.`);
}

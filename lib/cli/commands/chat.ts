import type { Command } from 'commander';
import { type CommandContext, writeNote } from '../context.js';
import { openModel } from '../open-model.js';
import {
  addGenerationOptions,
  addModelOptions,
  type GenerationOptions,
  type ModelOptions,
  toGenerateOptions,
} from '../options.js';

interface ChatOptions extends ModelOptions, GenerationOptions {
  system?: string;
  json?: boolean;
  verbose?: boolean;
}

/** Adds `chat [model]`. */
export function addChatCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('chat')
    .summary('talk with a model')
    .description('Talk with a model. Messages are read from the terminal, or from stdin, one on each line.')
    .argument('[model]', 'path, hf:owner/repo[:file-or-quantization] or URL (default: a small model)')
    .option('--system <text>', 'system message')
    .option('--json', 'print each answer as one line of JSON')
    .option('--verbose', 'write statistics to stderr also when that is not a terminal');
  addModelOptions(addGenerationOptions(command));
  command.action((source: string | undefined, options: ChatOptions) => chat(context, source, options));
}

async function chat(
  context: CommandContext,
  source: string | undefined,
  options: ChatOptions,
): Promise<void> {
  const model = await openModel(context, source, options);
  try {
    context.exitCode = await talk(context, model, options);
  } finally {
    await model.close();
  }
}

async function talk(
  context: CommandContext,
  model: Awaited<ReturnType<typeof openModel>>,
  options: ChatOptions,
): Promise<number> {
  const [{ LineReader }, { ChatSession }, { slashCommandNames }] = await Promise.all([
    import('../terminal/line-reader.js'),
    import('../chat/session.js'),
    import('../chat/slash-commands.js'),
  ]);
  const screen = context.output.isTerminal ? context.output : context.notes;
  const isInteractive = context.input.isTTY === true && screen.isTerminal && options.json !== true;
  const reader = new LineReader({
    input: context.input,
    output: screen.stream,
    isInteractive,
    completions: slashCommandNames,
  });
  const release = context.interrupts.handle(() => reader.interrupt());
  const leave = () => reader.close();
  context.interrupts.signal.addEventListener('abort', leave);
  const session = new ChatSession({
    context,
    model,
    reader,
    isInteractive,
    system: options.system,
    generateOptions: toGenerateOptions(options),
    asJson: options.json === true,
    showStatistics: context.notes.isTerminal || options.verbose === true,
  });
  if (isInteractive) {
    greet(context, model);
  }
  try {
    return await session.run();
  } finally {
    release();
    context.interrupts.signal.removeEventListener('abort', leave);
    reader.close();
  }
}

function greet(context: CommandContext, model: Awaited<ReturnType<typeof openModel>>): void {
  const name = model.metadata.name ?? model.metadata.description;
  writeNote(context, `${name} · room for ${model.contextSize} tokens · /help lists the commands`);
}

import type { Command } from 'commander';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { UsageError } from '../failures.js';
import type { LoadedModel } from '../library.js';
import { openModel } from '../open-model.js';
import {
  addGenerationOptions,
  addModelOptions,
  type GenerationOptions,
  type ModelOptions,
  toGenerateOptions,
  withoutUndefined,
} from '../options.js';
import { readPipedText } from '../terminal/piped-text.js';
import { describeStatistics } from '../terminal/statistics.js';
import { type Answer, type AnswerResult, streamAnswer } from '../terminal/stream-answer.js';

interface RunOptions extends ModelOptions, GenerationOptions {
  model?: string;
  system?: string;
  raw?: boolean;
  json?: boolean;
  verbose?: boolean;
}

const help = `
One argument is the prompt, and the default model answers it. Text piped in is the prompt, or is appended to it:

  $ llama-native run "Write a haiku about rivers."
  $ llama-native run hf:owner/repo:Q4_K_M "Write a haiku about rivers."
  $ git diff | llama-native run --model ./model.gguf "Summarize this change:"`;

/** Adds `run [model] <prompt>`. */
export function addRunCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('run')
    .summary('answer one prompt')
    .description('Answer one prompt: its text goes to stdout, everything else to stderr.')
    .argument('[model]', 'path, hf:owner/repo[:file-or-quantization] or URL (default: a small model)')
    .argument('[prompt]', 'the prompt; one argument alone is the prompt')
    .allowExcessArguments()
    .option('-m, --model <source>', 'the model; the argument is then the prompt')
    .option('--system <text>', 'system message')
    .option('--raw', 'continue the text as it is, without a chat template')
    .option('--json', 'print one JSON object with the text, usage and timings')
    .option('--verbose', 'write statistics to stderr also when that is not a terminal')
    .addHelpText('after', help);
  addModelOptions(addGenerationOptions(command));
  command.action(() => run(context, command.args, command.opts<RunOptions>()));
}

async function run(
  context: CommandContext,
  parameters: readonly string[],
  options: RunOptions,
): Promise<void> {
  if (options.raw === true && options.system !== undefined) {
    throw new UsageError('--raw and --system exclude each other: raw text has no system message.');
  }
  const { model: source, prompt } = readRunArguments(parameters, options.model, await readPipedText(context));
  const model = await openModel(context, source, options);
  try {
    const generation = startGeneration(context, model, prompt, options);
    const result = await streamAnswer(generation, options.json === true ? undefined : context.output);
    if (options.json === true) {
      writeResult(context, model, result);
    }
    if (context.notes.isTerminal || options.verbose === true) {
      writeNote(context, describeStatistics(result));
    }
  } finally {
    await model.close();
  }
}

/** Looks like something to load rather than something to say. */
function looksLikeModel(text: string): boolean {
  return !/\s/.test(text) && (text.startsWith('hf:') || text.endsWith('.gguf'));
}

/**
 * Tells model and prompt apart.
 *
 * @throws UsageError when there is no prompt, or more than a model and a prompt.
 */
export function readRunArguments(
  parameters: readonly string[],
  modelOption: string | undefined,
  pipedText: string | undefined,
): { model: string | undefined; prompt: string } {
  const most = modelOption === undefined ? 2 : 1;
  if (parameters.length > most) {
    const expected = modelOption === undefined ? 'a model and a prompt' : 'a prompt beside --model';
    throw new UsageError(
      `Expected ${expected} but received ${parameters.length} arguments.`,
      'put the prompt in quotes.',
    );
  }
  const written = parameters.at(-1);
  if (
    parameters.length === 1 &&
    modelOption === undefined &&
    written !== undefined &&
    looksLikeModel(written)
  ) {
    throw new UsageError(
      `Expected a prompt but received what looks like a model: ${written}`,
      `give the model with --model ${written} and the prompt as the argument or through a pipe.`,
    );
  }
  const prompt = [written, pipedText].filter((text) => text !== undefined && text !== '').join('\n\n');
  if (prompt === '') {
    throw new UsageError('Expected a prompt.', 'give it in quotes, or pipe it in.');
  }
  return { model: modelOption ?? (parameters.length === 2 ? parameters[0] : undefined), prompt };
}

function startGeneration(
  context: CommandContext,
  model: LoadedModel,
  prompt: string,
  options: RunOptions,
): Answer {
  const generateOptions = { ...toGenerateOptions(options), signal: context.interrupts.signal };
  return options.raw === true
    ? model.generate(prompt, generateOptions)
    : model.createChat(withoutUndefined({ system: options.system })).send(prompt, generateOptions);
}

function writeResult(context: CommandContext, model: LoadedModel, result: AnswerResult): void {
  const { text, reasoning, finishReason, usage, timings } = result;
  const thought = reasoning ? { reasoning } : {};
  writeJson(context, { model: model.path, text, ...thought, finishReason, usage, timings });
}

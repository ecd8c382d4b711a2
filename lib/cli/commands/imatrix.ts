import type { Command } from 'commander';
import type { ImatrixResult } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { evaluateModel } from '../evaluate-model.js';
import { addTextOptions, countOption, formatEstimate, type TextOptions } from '../evaluation-options.js';
import { addModelOptions, type ModelOptions, withoutUndefined } from '../options.js';
import { formatDuration } from '../terminal/format.js';

interface ImatrixCommandOptions extends ModelOptions, TextOptions {
  output: string;
  from?: string[];
  saveEvery?: number;
  includeOutput?: boolean;
}

const help = `
What was broken off goes on from where it was saved last:

  $ llama-native imatrix model-f16.gguf --text text.txt --output model.imatrix.gguf
  $ llama-native imatrix model-f16.gguf --text text.txt --output model.imatrix.gguf --from model.imatrix.gguf`;

/** Adds `imatrix [model]`. */
export function addImatrixCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('imatrix')
    .summary('compute an importance matrix for quantizing')
    .description(
      'Find out which columns of the weights matter for a text, so that `quantize` takes care of them.',
    )
    .argument('[model]', 'path, hf:owner/repo[:file-or-quantization] or URL (default: a small model)')
    .requiredOption('-o, --output <path>', 'the file to write, in GGUF')
    .option(
      '--from <path>',
      'an importance matrix to add to; may be given several times',
      (path: string, before: string[] = []) => [...before, path],
    )
    .addOption(
      countOption('--save-every <chunks>', 'save after so many chunks; 0: only at the end (default: 10)', 0),
    )
    .option('--include-output', 'include the output matrix too')
    .addHelpText('after', help);
  addModelOptions(addTextOptions(command)).action(
    (source: string | undefined, options: ImatrixCommandOptions) => compute(context, source, options),
  );
}

async function compute(
  context: CommandContext,
  source: string | undefined,
  options: ImatrixCommandOptions,
): Promise<void> {
  const { output, from, saveEvery, includeOutput, text: dataset } = options;
  const result = await evaluateModel(context, source, options, ({ library, model, text, options: common }) =>
    library.imatrix(model, text, {
      ...common,
      output,
      ...withoutUndefined({ from, saveEvery, includeOutput, dataset }),
    }),
  );
  report(context, result, options.json === true);
}

function report(context: CommandContext, result: ImatrixResult, asJson: boolean): void {
  if (asJson) {
    writeJson(context, result);
    return;
  }
  const { path, evaluatedChunks, chunks, tensors, unusedExperts, perplexity, totalMs, tokensPerSecond } =
    result;
  context.output.write(`${path}\n`);
  const speed = `in ${formatDuration(totalMs)}, ${tokensPerSecond.toFixed(1)} tokens/s`;
  writeNote(context, `${tensors} tensors, ${chunks} chunks; ${evaluatedChunks} of them now, ${speed}`);
  if (evaluatedChunks > 0) writeNote(context, `Perplexity of the text: ${formatEstimate(perplexity, 4)}`);
  const [first] = unusedExperts;
  if (first === undefined) return;
  const unused = unusedExperts.reduce((sum, { unused: count }) => sum + count, 0);
  writeNote(
    context,
    `No token was sent to ${unused} experts, such as those of ${first.tensor}: a longer text helps.`,
  );
}

import type { Command } from 'commander';
import type { PerplexityResult } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { evaluateModel } from '../evaluate-model.js';
import {
  addTextOptions,
  countOption,
  formatEstimate,
  formatShare,
  type TextOptions,
} from '../evaluation-options.js';
import { addModelOptions, type ModelOptions, withoutUndefined } from '../options.js';
import { formatDuration } from '../terminal/format.js';

interface PerplexityCommandOptions extends ModelOptions, TextOptions {
  stride?: number;
  reference?: string;
  saveLogProbabilities?: string;
}

const help = `
How far a quantization is from the model it was made of:

  $ llama-native perplexity model-f16.gguf --text text.txt --save-log-probabilities reference.logits
  $ llama-native perplexity model-q4.gguf --text text.txt --reference reference.logits`;

/** Adds `perplexity [model]`. */
export function addPerplexityCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('perplexity')
    .summary('measure how well a model predicts a text')
    .description('Measure how well a model predicts a text, and how far it is from a reference.')
    .argument('[model]', 'path, hf:owner/repo[:file-or-quantization] or URL (default: a small model)')
    .addOption(countOption('--stride <tokens>', 'let chunks overlap: each begins so many tokens later'))
    .option('--reference <path>', 'log-probabilities of the model to compare with')
    .option('--save-log-probabilities <path>', 'write those of this model, to be a reference later')
    .addHelpText('after', help);
  addModelOptions(addTextOptions(command)).action(
    (source: string | undefined, options: PerplexityCommandOptions) => measure(context, source, options),
  );
}

async function measure(
  context: CommandContext,
  source: string | undefined,
  options: PerplexityCommandOptions,
): Promise<void> {
  const { stride, reference, saveLogProbabilities } = options;
  const { path, result } = await evaluateModel(
    context,
    source,
    options,
    async ({ library, model, text, options: common }) => ({
      path: model.path,
      result: await library.perplexity(model, text, {
        ...common,
        ...withoutUndefined({ stride, reference, saveLogProbabilities }),
      }),
    }),
  );
  if (options.json === true) writeJson(context, { model: path, ...result });
  else await printResult(context, result);
}

async function printResult(context: CommandContext, result: PerplexityResult): Promise<void> {
  const { renderFacts } = await import('../terminal/table.js');
  const { perplexity, comparison, chunks, contextSize, scoredTokens, tokensPerSecond, totalMs } = result;
  const facts: [string, string][] = [['Perplexity', formatEstimate(perplexity, 4)]];
  if (comparison) {
    const { klDivergence, klDivergenceSpread: spread, topAgreement, logPerplexityRatio } = comparison;
    facts.push(
      ['Of the reference', formatEstimate(comparison.perplexity, 4)],
      ['ln of the ratio', formatEstimate(logPerplexityRatio, 5)],
      ['KL divergence', formatEstimate(klDivergence, 5)],
      [
        '',
        `median ${spread.median.toFixed(5)}, 99 % ${spread.percentile99.toFixed(5)}, maximum ${spread.maximum.toFixed(5)}`,
      ],
      ['Same first choice', formatShare(topAgreement)],
      ['RMS change of p', formatShare(comparison.probabilityChange)],
    );
  }
  context.output.write(renderFacts(facts, context.output.colours.cyan));
  const size = `${chunks} chunks of ${contextSize} tokens, ${scoredTokens} predictions`;
  writeNote(context, `${size}, in ${formatDuration(totalMs)}, ${tokensPerSecond.toFixed(1)} tokens/s`);
}

import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { QuantizedTensor, QuantizeOptions, QuantizeResult, TensorTypeChoice } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { UsageError } from '../failures.js';
import type { Library } from '../library.js';
import { findListedModel } from '../model-names.js';
import { parseNumber, withoutUndefined } from '../options.js';
import { formatBytes, formatDuration } from '../terminal/format.js';
import { createQuantizeDisplay } from '../terminal/quantize-display.js';

interface CommandOptions {
  imatrix?: string;
  tensorType?: TensorTypeChoice[];
  pruneLayers?: number[];
  threads?: number;
  dryRun?: boolean;
  allowRequantize?: boolean;
  leaveOutputTensor?: boolean;
  pure?: boolean;
  outputTensorType?: string;
  tokenEmbeddingType?: string;
  keepSplit?: boolean;
  overwrite?: boolean;
  isolate?: boolean;
  json?: boolean;
}

/** Adds `quantize <model> [output] <type>`. */
export function addQuantizeCommand(program: Command, context: CommandContext): void {
  program
    .command('quantize')
    .summary('make a smaller file of a model')
    .description(
      'Store the weights of a model in fewer bits. With no output named, the file goes beside the model. Without a type, the types are listed.',
    )
    .usage('[options] <model> [output] <type>')
    .argument('[model]', 'path of a .gguf file, or a downloaded model as `llama-native list` names it')
    .argument('[output-or-type]', 'path of the file to write, or the type at once')
    .argument('[type]', 'such as Q4_K_M; `llama-native quantize` lists them')
    .option('--imatrix <path>', 'an importance matrix of this model: better, and needed below three bits')
    .option(
      '--tensor-type <pattern=type>',
      'type of the tensors whose name a regular expression finds; may be given several times',
      parseTensorType,
    )
    .option('--prune-layers <numbers>', 'layers to leave out, as in 20,21,22', parseLayers)
    .option('--threads <count>', `threads that quantize (default: ${availableParallelism()})`, parseThreads)
    .option('--dry-run', 'show types and sizes, and write nothing')
    .option('--allow-requantize', 'quantize what is quantized already, which loses more')
    .option('--leave-output-tensor', 'leave output.weight as it is')
    .option('--pure', "the same type for all tensors, in place of llama.cpp's mixture")
    .option('--output-tensor-type <type>', 'type of output.weight')
    .option('--token-embedding-type <type>', 'type of the token embeddings')
    .option('--keep-split', 'write as many files as the model is in')
    .option('--overwrite', 'replace a file that is there already')
    .option('--isolate', 'work in a process of its own')
    .option('--json', 'print the result as JSON')
    .action((model: string | undefined, second: string | undefined, third: string | undefined, options) =>
      quantize(context, model, [second, third], options as CommandOptions),
    );
}

function parseTensorType(text: string, previous: readonly TensorTypeChoice[] = []): TensorTypeChoice[] {
  const end = text.lastIndexOf('=');
  if (end < 1) throw new InvalidArgumentError('Expected a pattern and a type, as in attn_v=Q6_K.');
  try {
    const tensor = new RegExp(text.slice(0, end));
    return [...previous, { tensor, type: text.slice(end + 1).toUpperCase() as TensorTypeChoice['type'] }];
  } catch {
    throw new InvalidArgumentError(`Expected a regular expression before the "=" of ${text}.`);
  }
}

function parseLayers(text: string): number[] {
  return text.split(',').map((number) => parseNumber(number, { minimum: 0, maximum: 511, isInteger: true }));
}

function parseThreads(text: string): number {
  return parseNumber(text, { minimum: 1, maximum: 512, isInteger: true });
}

async function quantize(
  context: CommandContext,
  source: string | undefined,
  words: readonly (string | undefined)[],
  options: CommandOptions,
): Promise<void> {
  const library = await context.loadLibrary();
  if (source === undefined) {
    await listTypes(context, library, options);
    return;
  }
  const input = (await findListedModel(library, source, {})) ?? source;
  const { output, type } = readWords(library, input, words, options);
  const display = await createQuantizeDisplay(context.notes);
  try {
    const result = await library.quantize(input, output, {
      ...toQuantizeOptions(options),
      type,
      onProgress: display.update,
      signal: context.interrupts.signal,
    });
    display.finish();
    await report(context, result, options);
  } finally {
    display.finish();
  }
}

/** Output and type, or the type alone: then the output lies beside the model. */
function readWords(
  library: Library,
  input: string,
  [second, third]: readonly (string | undefined)[],
  options: CommandOptions,
): { output: string | undefined; type: QuantizeOptions['type'] } {
  const word = third ?? second;
  const hint = '`llama-native quantize` lists the types.';
  if (word === undefined) throw new UsageError('Expected a type behind the model, such as Q4_K_M.', hint);
  const type = library.findQuantizationType(word);
  if (type === undefined) {
    const expected = third === undefined ? 'a type, or a path and a type' : 'a type behind the output';
    throw new UsageError(`Expected ${expected}, such as Q4_K_M; received ${JSON.stringify(word)}.`, hint);
  }
  if (third !== undefined) return { output: second, type: type.name };
  return { output: options.dryRun === true ? undefined : outputBeside(input, type.name), type: type.name };
}

/** `model-f16.gguf` becomes `model-Q4_K_M.gguf`, and a name that tells no type gets one. */
export function outputBeside(input: string, type: string): string {
  const stem = basename(input)
    .replace(/(-00001-of-\d{5})?\.gguf$/i, '')
    .replace(/[-._](b?f16|f32|i?q\d\w*|tq\d_0|mxfp4\w*)$/i, '');
  return join(dirname(input), `${stem}-${type}.gguf`);
}

function toQuantizeOptions(options: CommandOptions): Omit<QuantizeOptions, 'type'> {
  const { json: _, tensorType, outputTensorType, tokenEmbeddingType, ...others } = options;
  return withoutUndefined({
    ...others,
    tensorTypes: tensorType,
    outputTensorType: outputTensorType?.toUpperCase(),
    tokenEmbeddingType: tokenEmbeddingType?.toUpperCase(),
  }) as Omit<QuantizeOptions, 'type'>;
}

async function report(
  context: CommandContext,
  result: QuantizeResult,
  options: CommandOptions,
): Promise<void> {
  if (options.json === true) {
    const { tensors, ...rest } = result;
    writeJson(context, options.dryRun === true ? result : rest);
    return;
  }
  if (options.dryRun === true) {
    await printTensors(context, result.tensors);
  }
  await printShares(context, result);
  const { bytesBefore, bytesAfter, bitsPerWeight, elapsedMs, path } = result;
  const sizes = `${formatBytes(bytesBefore)} → ${formatBytes(bytesAfter)}, ${bitsPerWeight.toFixed(2)} bits per weight`;
  const end = path === undefined ? '' : `, in ${formatDuration(elapsedMs)}`;
  context.output.write(`\n${sizes}${end}\n`);
  for (const written of result.paths) context.output.write(`${written}\n`);
  writeRemarks(context, result);
}

async function printTensors(context: CommandContext, tensors: readonly QuantizedTensor[]): Promise<void> {
  const { renderTable } = await import('../terminal/table.js');
  const columns = [
    { title: 'TENSOR' },
    { title: 'SHAPE' },
    { title: 'FROM' },
    { title: 'TO' },
    { title: 'SIZE', align: 'right' },
  ] as const;
  const rows = tensors.map(({ name, dimensions, sourceType, type, bytes }) => {
    return [name, dimensions.join(' × '), sourceType, type, formatBytes(bytes)];
  });
  context.output.write(`${renderTable(columns, rows, context.output.colours.bold)}\n`);
}

async function printShares(context: CommandContext, { types }: QuantizeResult): Promise<void> {
  const { renderTable } = await import('../terminal/table.js');
  const columns = [
    { title: 'TYPE' },
    { title: 'TENSORS', align: 'right' },
    { title: 'SIZE', align: 'right' },
  ] as const;
  const rows = types.map(({ type, tensorCount, bytes }) => [type, String(tensorCount), formatBytes(bytes)]);
  context.output.write(renderTable(columns, rows, context.output.colours.bold));
}

function writeRemarks(context: CommandContext, result: QuantizeResult): void {
  const { fallbackCount, needsImatrix, imatrix, tensors } = result;
  if (fallbackCount > 0) {
    const share = `${fallbackCount} of ${tensors.length} tensors`;
    writeNote(context, `${share} got a larger type, because their rows do not divide into its blocks.`);
  }
  if (needsImatrix && imatrix === undefined)
    writeNote(context, 'To make this file an importance matrix is needed: --imatrix.');
  const missing = imatrix?.missing.filter((name) => !name.startsWith('token_embd')) ?? [];
  if (missing.length > 0)
    writeNote(
      context,
      `The importance matrix knows nothing of ${missing.length} tensors, such as ${missing[0]}.`,
    );
}

async function listTypes(context: CommandContext, library: Library, options: CommandOptions): Promise<void> {
  const { quantizationTypes } = library;
  if (options.json === true) {
    writeJson(context, quantizationTypes);
    return;
  }
  const { renderTable } = await import('../terminal/table.js');
  const columns = [
    { title: 'TYPE' },
    { title: 'BITS', align: 'right' },
    { title: 'WHAT IT IS FOR' },
  ] as const;
  const rows = quantizationTypes.map(({ name, bitsPerWeight, description, needsImatrix }) => {
    const bits = name === 'COPY' ? '' : bitsPerWeight.toFixed(1);
    return [needsImatrix ? `${name} *` : name, bits, description];
  });
  context.output.write(renderTable(columns, rows, context.output.colours.bold));
  context.output.write('\n* needs an importance matrix. Bits per weight are those of an 8B model.\n');
}

import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import type { ConvertOptions, ConvertResult, GptqLayerResult, RequantizeType } from '../../index.js';
import { type CommandContext, writeJson, writeNote } from '../context.js';
import { addSourceOptions, numberOption, type SourceOptions, withoutUndefined } from '../options.js';
import { createConvertDisplay } from '../terminal/convert-display.js';
import { formatBytes } from '../terminal/format.js';

interface CommandOptions extends SourceOptions {
  type?: 'f32' | 'f16' | 'bf16' | 'q8_0';
  requantize?: RequantizeType;
  threads?: number;
  preTokenizer?: string;
  overwrite?: boolean;
  json?: boolean;
}

/** Adds `convert <source> [output]`. */
export function addConvertCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('convert')
    .summary('make a GGUF file of a Hugging Face checkpoint')
    .description(
      'Make a GGUF file of a Hugging Face checkpoint (config.json, tokenizer, safetensors). With no output named, the ' +
        'file goes into the current folder.',
    )
    .argument('<source>', 'folder of the checkpoint, or hf:owner/repo[@revision]')
    .argument('[output]', 'path of the GGUF file (default: <name>-<type>.gguf)')
    .addOption(
      new Option('--type <type>', 'type of most tensors (default: that of the checkpoint)').choices([
        'f32',
        'f16',
        'bf16',
        'q8_0',
      ]),
    )
    .addOption(
      new Option('--requantize <type>', 'type of GPTQ layers with scattered groups (default: q8_0)').choices([
        'q4_1',
        'q5_1',
        'q6_k',
        'q8_0',
        'f16',
      ]),
    )
    .addOption(
      numberOption('--threads <count>', `threads that convert (default: ${availableParallelism()})`, {
        minimum: 1,
        maximum: 512,
        isInteger: true,
      }),
    )
    .option('--pre-tokenizer <name>', "llama.cpp's name for how texts are cut, where it cannot be found out")
    .option('--overwrite', 'replace a file that is there already')
    .option('--json', 'print the result as JSON');
  addSourceOptions(command).action((source: string, output: string | undefined, options: CommandOptions) =>
    convert(context, source, output, options),
  );
}

async function convert(
  context: CommandContext,
  source: string,
  output: string | undefined,
  options: CommandOptions,
): Promise<void> {
  const library = await context.loadLibrary();
  const display = await createConvertDisplay(context.notes);
  const { type, requantize, threads, preTokenizer, overwrite, cacheDirectory, endpoint } = options;
  const convertOptions: ConvertOptions = {
    ...withoutUndefined({ type, requantize, threads, preTokenizer, overwrite, cacheDirectory, endpoint }),
    onProgress: display.update,
    signal: context.interrupts.signal,
  };
  try {
    const result = await library.convert(source, output, convertOptions);
    display.finish();
    report(context, result, options);
  } finally {
    display.finish();
  }
}

function report(context: CommandContext, result: ConvertResult, options: CommandOptions): void {
  if (options.json === true) {
    writeJson(context, result);
    return;
  }
  const { path, sizeBytes, architecture, type, tensorCount } = result;
  const about = `${architecture}, ${type}, ${tensorCount} tensors, ${formatBytes(sizeBytes)}`;
  context.output.write(`${path} ${context.output.colours.dim(about)}\n`);
  if (result.quantizedLayers !== undefined) writeNote(context, describeLayers(result.quantizedLayers));
}

/** What the conversion did to the layers of a GPTQ checkpoint, in one line. */
function describeLayers(layers: readonly GptqLayerResult[]): string {
  const kept = layers.filter(({ keepsNumbers }) => keepsNumbers).length;
  const largest = Math.max(0, ...layers.map(({ relativeError }) => relativeError));
  const error = largest === 0 ? 'no error' : `an error of ${(largest * 100).toFixed(3)} % at most`;
  return `${kept} of ${layers.length} GPTQ layers keep their numbers; ${error}.`;
}

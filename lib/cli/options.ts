import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AdapterOptions, GenerateOptions, LoadModelOptions } from '../index.js';
import { UsageError } from './failures.js';

/** Where models come from and are kept. */
export interface SourceOptions {
  cacheDirectory?: string;
  endpoint?: string;
  token?: string;
}

/** How a model is loaded. */
export interface ModelOptions extends SourceOptions {
  contextSize?: number;
  threads?: number;
  gpuLayers?: number | 'max';
  chatTemplateFile?: string;
  adapter?: AdapterOptions[];
  isolate?: boolean;
}

/** How an answer is generated. */
export interface GenerationOptions {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repeatPenalty?: number;
  seed?: number;
  maxTokens?: number;
}

interface Range {
  readonly minimum: number;
  readonly maximum?: number;
  readonly isInteger?: boolean;
}

/** Reads a number for commander, which puts the option's name before the message. */
export function parseNumber(text: string, range: Range): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const maximum = range.maximum ?? Number.POSITIVE_INFINITY;
  const isWrongKind = range.isInteger === true ? !Number.isSafeInteger(value) : !Number.isFinite(value);
  if (isWrongKind || value < range.minimum || value > maximum) {
    const kind = range.isInteger === true ? 'a whole number' : 'a number';
    const bounds =
      range.maximum === undefined
        ? `, ${range.minimum} or more`
        : ` from ${range.minimum} to ${range.maximum}`;
    throw new InvalidArgumentError(`Expected ${kind}${bounds}.`);
  }
  return value;
}

/** A number behind the last colon; no file or quantization is called by a number alone. */
const scaleAtEnd = /:([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i;

/** Reads `path[:scale]`, and adds it to those before it. */
export function parseAdapter(text: string, previous: readonly AdapterOptions[] = []): AdapterOptions[] {
  const scale = scaleAtEnd.exec(text)?.[1];
  const path = scale === undefined ? text : text.slice(0, -scale.length - 1);
  if (path === '')
    throw new InvalidArgumentError('Expected an adapter, as in adapter.gguf or adapter.gguf:0.5.');
  const scaled = scale === undefined ? {} : { scale: parseNumber(scale, { minimum: -100, maximum: 100 }) };
  return [...previous, { path, ...scaled }];
}

/** An option whose value is a number. */
export function numberOption(flags: string, description: string, range: Range): Option {
  return new Option(flags, description).argParser((text: string) => parseNumber(text, range));
}

/** Adds the options that say where models come from. */
export function addSourceOptions(command: Command): Command {
  return command
    .option('--cache-directory <path>', 'where downloads are kept (default: the Hugging Face cache)')
    .option('--endpoint <url>', "the hub's address (default: HF_ENDPOINT, then the Hugging Face hub)")
    .option('--token <token>', 'access token for the hub (default: HF_TOKEN, which other users cannot see)');
}

/** Adds the options that say what a model is fitted to. */
export function addMemoryOptions(command: Command): Command {
  return command
    .addOption(
      numberOption('--context-size <tokens>', 'tokens of context to fit', { minimum: 1, isInteger: true }),
    )
    .addOption(
      new Option(
        '--memory <bytes>',
        'memory to fit, such as 16GB (default: what is free here, on graphics cards first)',
      ).argParser(parseBytes),
    );
}

const byteUnits: Readonly<Record<string, number>> = {
  ...{ '': 1, b: 1, k: 1e3, kb: 1e3, m: 1e6, mb: 1e6, g: 1e9, gb: 1e9, t: 1e12, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/** Reads a size such as `16GB` or `24 GiB` for commander. */
export function parseBytes(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(digits) * (byteUnits[unit.toLowerCase()] ?? Number.NaN));
  if (digits !== '' && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError('Expected a size, as in 16GB, 24GiB or 8000000000.');
}

/**
 * Adds the options that say how a model is loaded.
 * @param isIsolated the engine has a process of its own anyway, and the command has an option against that.
 */
export function addModelOptions(
  command: Command,
  { isIsolated = false }: { readonly isIsolated?: boolean } = {},
): Command {
  command
    .addOption(numberOption('--context-size <tokens>', 'tokens held in all', { minimum: 1, isInteger: true }))
    .addOption(
      numberOption('--threads <count>', 'threads for evaluation', {
        minimum: 1,
        maximum: 512,
        isInteger: true,
      }),
    )
    .addOption(
      new Option('--gpu-layers <count>', 'layers to hold on the GPU, or "max"').argParser((text: string) =>
        text === 'max' ? text : parseNumber(text, { minimum: 0, isInteger: true }),
      ),
    )
    .addOption(
      new Option(
        '--adapter <path[:scale]>',
        'a LoRA adapter to load with the model; may be given several times',
      ).argParser(parseAdapter),
    )
    .option('--chat-template-file <path>', "a Jinja chat template to use instead of the model's own");
  if (!isIsolated) {
    command.option('--isolate', 'run the engine in a process of its own, whose crash the program survives');
  }
  return addSourceOptions(command);
}

/** Adds the options that say how an answer is generated. */
export function addGenerationOptions(command: Command): Command {
  const probability: Range = { minimum: 0, maximum: 1 };
  return command
    .addOption(
      numberOption('--max-tokens <count>', 'most tokens to generate', { minimum: 1, isInteger: true }),
    )
    .addOption(
      numberOption('--temperature <number>', 'randomness; 0 takes the most probable token', {
        minimum: 0,
        maximum: 100,
      }),
    )
    .addOption(
      numberOption('--top-k <count>', 'keep the k most probable tokens; 0 keeps all', {
        minimum: 0,
        isInteger: true,
      }),
    )
    .addOption(
      numberOption('--top-p <number>', 'keep tokens that reach this probability together', probability),
    )
    .addOption(numberOption('--min-p <number>', 'drop tokens below this share of the best one', probability))
    .addOption(
      numberOption('--repeat-penalty <number>', 'divides the logits of recent tokens; 1 is off', {
        minimum: 0.01,
        maximum: 100,
      }),
    )
    .addOption(
      numberOption('--seed <number>', 'seed of the random numbers', {
        minimum: 0,
        maximum: 4_294_967_295,
        isInteger: true,
      }),
    );
}

/** The library's options for what was given on the command line; what was left out stays out. */
export function toGenerateOptions(options: GenerationOptions): GenerateOptions {
  const { maxTokens, temperature, topK, topP, minP, repeatPenalty, seed } = options;
  return withoutUndefined({ maxTokens, temperature, topK, topP, minP, repeatPenalty, seed });
}

/** The library's options for loading a model; reads the chat template. */
export async function toLoadOptions(options: ModelOptions): Promise<LoadModelOptions> {
  const {
    chatTemplateFile,
    contextSize,
    threads,
    gpuLayers,
    adapter,
    isolate,
    cacheDirectory,
    endpoint,
    token,
  } = options;
  const chatTemplate = chatTemplateFile === undefined ? undefined : await readTemplate(chatTemplateFile);
  return withoutUndefined({
    contextSize,
    threads,
    gpuLayers,
    adapters: adapter,
    isolate,
    chatTemplate,
    cacheDirectory,
    endpoint,
    token,
  });
}

async function readTemplate(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot read the chat template: ${reason}`, 'expected the path of a Jinja file.');
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** A copy without the entries that are undefined, which `exactOptionalPropertyTypes` tells from missing ones. */
export function withoutUndefined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

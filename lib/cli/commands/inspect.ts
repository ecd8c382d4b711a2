import { type Command, Option } from 'commander';
import type { SpecialTokens } from '../../gguf/special-tokens.js';
import type { CacheType, GgufHeader, GgufSummary, MemoryOptions } from '../../index.js';
import { type CommandContext, exitCodes, writeJson, writeNote } from '../context.js';
import { type MemoryReport, memoryFacts, memoryTable, reportMemory } from '../inspect/memory-report.js';
import { plainMetadata } from '../inspect/plain-metadata.js';
import type { Library } from '../library.js';
import { findListedModel } from '../model-names.js';
import { addSourceOptions, numberOption, type SourceOptions, withoutUndefined } from '../options.js';
import { formatBytes, formatCount } from '../terminal/format.js';

interface InspectOptions extends SourceOptions {
  template?: boolean;
  tensors?: boolean;
  contextSize?: number;
  cacheType?: CacheType;
  offline?: boolean;
  json?: boolean;
}

/** Adds `inspect <model>`. */
export function addInspectCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('inspect')
    .summary('show what a model file holds')
    .description(
      'Show what a model file holds and how much memory it takes, without loading it. Of a model on the hub or a web ' +
        'server only the beginning is read.',
    )
    .argument('<model>', 'path of a .gguf file, hf:owner/repo[:file-or-quantization], or an https URL')
    .option('--template', 'print the chat template and nothing else')
    .option('--tensors', 'list the tensors')
    .addOption(
      numberOption('--context-size <tokens>', 'tokens to reckon memory for', { minimum: 1, isInteger: true }),
    )
    .addOption(
      new Option('--cache-type <type>', 'type of cached keys and values to reckon memory for').choices([
        'f32',
        'f16',
        'q8_0',
        'q4_0',
      ]),
    )
    .option('--offline', 'read only what is on this machine');
  addSourceOptions(command)
    .option('--json', 'print one JSON object, with all metadata')
    .action((source: string, options: InspectOptions) => inspect(context, source, options));
}

async function inspect(context: CommandContext, source: string, options: InspectOptions): Promise<void> {
  const library = await context.loadLibrary();
  const headers = await readHeaders(context, library, source, options);
  const whole = joinParts(headers);
  const summary = library.summarizeGguf(whole);
  if (options.template === true) {
    printTemplate(context, summary);
    return;
  }
  const specialTokens = library.findSpecialTokens({ ...summary, metadata: whole.metadata });
  const memory = await reportMemory(library, headers, toMemoryOptions(options));
  if (options.json === true) {
    const { tensors } = whole;
    writeJson(context, {
      ...summary,
      specialTokens,
      memory,
      ...(options.tensors === true ? { tensors } : {}),
      metadata: plainMetadata(whole.metadata),
    });
  } else if (options.tensors === true) {
    await printTensors(context, whole);
  } else {
    await printReport(context, summary, specialTokens, memory);
  }
}

async function readHeaders(
  context: CommandContext,
  library: Library,
  source: string,
  options: InspectOptions,
): Promise<GgufHeader[]> {
  const { cacheDirectory, endpoint, offline } = options;
  const { signal } = context.interrupts;
  const listed = await findListedModel(library, source, options);
  const isRemote = /^(hf|https?):/i.test(source);
  // What is neither listed nor remote is a path; the library's errors on those help with names that look like others.
  const name = listed ?? (isRemote ? source : await library.resolveModel(source, { offline: true }));
  return library.readGgufHeaders(name, {
    ...withoutUndefined({ cacheDirectory, endpoint, offline }),
    signal,
  });
}

/** A model in several files as if it were in one. */
function joinParts(headers: readonly GgufHeader[]): GgufHeader {
  const [first] = headers;
  if (first === undefined) throw new Error('A model has one file at least');
  return {
    ...first,
    fileSize: headers.reduce((sum, { fileSize }) => sum + fileSize, 0),
    tensors: headers.flatMap(({ tensors }) => tensors),
  };
}

function toMemoryOptions({ contextSize, cacheType }: InspectOptions): MemoryOptions {
  return withoutUndefined({ contextSize, keyType: cacheType, valueType: cacheType });
}

async function printTensors(context: CommandContext, { tensors }: GgufHeader): Promise<void> {
  const { renderTable } = await import('../terminal/table.js');
  const columns = [
    { title: 'TENSOR' },
    { title: 'TYPE' },
    { title: 'SHAPE', align: 'right' },
    { title: 'SIZE', align: 'right' },
  ] as const;
  const rows = tensors.map(({ name, type, dimensions, byteSize }) => [
    name,
    type,
    dimensions.join(' × '),
    formatBytes(byteSize),
  ]);
  context.output.write(renderTable(columns, rows, context.output.colours.bold));
}

function printTemplate(context: CommandContext, report: GgufSummary): void {
  if (report.chatTemplate === undefined) {
    writeNote(context, 'The model brings no chat template.');
    context.exitCode = exitCodes.failure;
    return;
  }
  const end = report.chatTemplate.endsWith('\n') ? '' : '\n';
  context.output.write(report.chatTemplate + end);
}

async function printReport(
  context: CommandContext,
  report: GgufSummary,
  specialTokens: SpecialTokens | undefined,
  memory: MemoryReport,
): Promise<void> {
  const { renderFacts, renderTable } = await import('../terminal/table.js');
  const { colours } = context.output;
  context.output.write(renderFacts([...factsOf(report), ...safetyOf(report, specialTokens)], colours.cyan));
  const columns = [
    { title: 'TYPE' },
    { title: 'TENSORS', align: 'right' },
    { title: 'PARAMETERS', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'BITS', align: 'right' },
    { title: 'SHARE', align: 'right' },
  ] as const;
  const rows = report.types.map((share) => [
    share.type,
    String(share.tensorCount),
    formatCount(share.parameterCount),
    formatBytes(share.bytes),
    ((8 * share.bytes) / Math.max(1, share.parameterCount)).toFixed(2),
    `${((100 * share.bytes) / report.tensorBytes).toFixed(1)} %`,
  ]);
  context.output.write(`\n${renderTable(columns, rows, colours.bold)}`);
  const { columns: memoryColumns, rows: memoryRows } = memoryTable(memory);
  context.output.write(`\n${renderFacts(memoryFacts(memory), colours.cyan)}`);
  context.output.write(renderTable(memoryColumns, memoryRows, colours.bold));
}

/** What is known, in the order of interest; what the file does not say is left out. */
function factsOf(report: GgufSummary): (readonly [string, string])[] {
  const count = (value: number | undefined) => value?.toLocaleString('en-US');
  const unit = (value: number | undefined, name: string) =>
    value === undefined ? undefined : `${count(value)} ${name}`;
  const template = report.chatTemplate;
  const facts: (readonly [string, string | undefined])[] = [
    ['Name', report.name],
    ['Architecture', report.architecture],
    ['Quantization', report.fileType],
    ['Parameters', formatCount(report.parameterCount)],
    ['Bits per weight', report.bitsPerWeight?.toFixed(2)],
    ['Context length', unit(report.contextLength, 'tokens')],
    ['Embedding length', count(report.embeddingLength)],
    ['Layers', count(report.layerCount)],
    ['Attention heads', headsOf(report)],
    ['Vocabulary', unit(report.vocabularySize, 'tokens')],
    ['Tokenizer', report.tokenizer],
    ['Chat template', template === undefined ? 'no' : `yes, ${count(template.length)} characters`],
    ['Tensors', `${count(report.tensorCount)}, ${formatBytes(report.tensorBytes)}`],
    [
      report.splitCount > 1 ? `Files` : 'File',
      `${report.path} (${report.splitCount > 1 ? `${report.splitCount} files, ` : ''}${formatBytes(report.fileSize)}, ` +
        `GGUF version ${report.version})`,
    ],
  ];
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

/** Most texts that are shown; a vocabulary may have hundreds. */
const mostTexts = 8;

function listTexts(texts: readonly string[]): string {
  const shown = texts.slice(0, mostTexts).map((text) => JSON.stringify(text));
  const more = texts.length - shown.length;
  return more > 0 ? `${shown.join(' ')} and ${more} more` : shown.join(' ');
}

/** Which texts that users write the model reads as more than text; see docs/chat.md. */
function safetyOf(
  { chatTemplate }: GgufSummary,
  specialTokens: SpecialTokens | undefined,
): (readonly [string, string])[] {
  if (specialTokens === undefined) return [];
  const { covered, uncovered, uncoveredInTemplate } = specialTokens;
  const facts: (readonly [string, string])[] = [
    ['Control tokens', `${covered.length}, plain text where a user of a chat writes them`],
  ];
  if (uncovered.length > 0)
    facts.push(['Found in any text', `${uncovered.length} other tokens: ${listTexts(uncovered)}`]);
  if (chatTemplate === undefined) return facts;
  const safety =
    uncoveredInTemplate.length === 0
      ? 'users cannot write its marks'
      : `users can write its marks ${listTexts(uncoveredInTemplate)}`;
  return [...facts, ['Template safety', safety]];
}

function headsOf({ headCount, keyValueHeadCount }: GgufSummary): string | undefined {
  if (headCount === undefined) {
    return undefined;
  }
  return keyValueHeadCount === undefined
    ? `${headCount}`
    : `${headCount}, ${keyValueHeadCount} for keys and values`;
}

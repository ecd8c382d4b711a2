import type { Command } from 'commander';
import { createError, LlamaNativeError } from '../../errors.js';
import type { SpecialTokens } from '../../gguf/special-tokens.js';
import type { GgufSummary } from '../../index.js';
import { type CommandContext, exitCodes, writeJson, writeNote } from '../context.js';
import { plainMetadata } from '../inspect/plain-metadata.js';
import type { Library } from '../library.js';
import { findListedModel } from '../model-names.js';
import { withoutUndefined } from '../options.js';
import { formatBytes, formatCount } from '../terminal/format.js';

interface InspectOptions {
  template?: boolean;
  cacheDirectory?: string;
  json?: boolean;
}

/** Adds `inspect <model>`. */
export function addInspectCommand(program: Command, context: CommandContext): void {
  program
    .command('inspect')
    .summary('show what a model file holds')
    .description('Show what a model file holds, without loading or downloading it.')
    .argument('<model>', 'path of a .gguf file, or a downloaded model as `llama-native list` names it')
    .option('--template', 'print the chat template and nothing else')
    .option('--cache-directory <path>', 'where downloads are kept (default: the Hugging Face cache)')
    .option('--json', 'print one JSON object, with all metadata')
    .action((source: string, options: InspectOptions) => inspect(context, source, options));
}

async function inspect(context: CommandContext, source: string, options: InspectOptions): Promise<void> {
  const library = await context.loadLibrary();
  const { signal } = context.interrupts;
  const path = await findOnThisMachine(library, source, options);
  const report = await library.readGgufMetadata(path, { signal });
  const specialTokens = library.findSpecialTokens(report);
  if (options.json === true) {
    writeJson(context, { ...report, specialTokens, metadata: plainMetadata(report.metadata) });
  } else if (options.template === true) {
    printTemplate(context, report);
  } else {
    await printReport(context, report, specialTokens);
  }
}

async function findOnThisMachine(library: Library, source: string, options: InspectOptions): Promise<string> {
  const listed = await findListedModel(library, source, options);
  if (listed !== undefined) {
    return listed;
  }
  try {
    const { cacheDirectory } = options;
    return await library.resolveModel(source, { ...withoutUndefined({ cacheDirectory }), offline: true });
  } catch (error) {
    if (LlamaNativeError.isInstance(error) && error.code === 'DOWNLOAD_FAILED') {
      throw createError('MODEL_NOT_FOUND', `${source} is not downloaded, and inspect downloads nothing.`, {
        cause: error,
      });
    }
    throw error;
  }
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
): Promise<void> {
  const { renderFacts, renderTable } = await import('../terminal/table.js');
  const { colours } = context.output;
  context.output.write(renderFacts([...factsOf(report), ...safetyOf(report, specialTokens)], colours.cyan));
  const columns = [
    { title: 'TYPE' },
    { title: 'TENSORS', align: 'right' },
    { title: 'PARAMETERS', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'SHARE', align: 'right' },
  ] as const;
  const rows = report.types.map((share) => [
    share.type,
    String(share.tensorCount),
    formatCount(share.parameterCount),
    formatBytes(share.bytes),
    `${((100 * share.bytes) / report.tensorBytes).toFixed(1)} %`,
  ]);
  context.output.write(`\n${renderTable(columns, rows, colours.bold)}`);
  if (report.splitCount > 1) {
    writeNote(
      context,
      `The model is split into ${report.splitCount} files; the figures are those of this one.`,
    );
  }
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
    ['File', `${report.path} (${formatBytes(report.fileSize)}, GGUF version ${report.version})`],
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

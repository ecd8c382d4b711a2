/** Runs llama.cpp's own programs, built from the vendored tree: the reference that results must equal. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { remembered, type ToolResult } from './tool-results.js';
import { projectPath } from './vendored.js';

/** What both sides of a comparison are set to. */
export interface ReferenceSettings {
  readonly modelPath: string;
  readonly contextSize: number;
  readonly batchSize: number;
  readonly threads: number;
}

/** What the reference made of a prompt. */
export interface ReferenceCompletion {
  /** The text as bytes: the last character may be cut. */
  readonly bytes: Buffer;
  /** True if the model ended its answer before the limit. */
  readonly ended: boolean;
}

function toolPath(tool: string): string {
  const name = process.platform === 'win32' ? `${tool}.exe` : tool;
  const found = [
    path.join(projectPath, 'build', 'bin', name),
    path.join(projectPath, 'build', 'bin', 'Release', name),
  ];
  const existing = found.find((candidate) => existsSync(candidate));
  if (existing === undefined) {
    throw new Error(
      `Expected llama.cpp's own program at ${found[0]}; "npm test" builds it before the tests run.`,
    );
  }
  return existing;
}

/** LLAMA_ARG_* and LLAMA_LOG_* variables would change settings and output that the comparison depends on. */
function environmentWithoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^LLAMA_(ARG|LOG)_/.test(name)));
}

const execute = promisify(execFile);

export async function runTool(
  tool: string,
  toolArguments: readonly string[],
  directory?: string,
): Promise<ToolResult> {
  const running = execute(toolPath(tool), toolArguments, {
    encoding: 'buffer',
    cwd: directory,
    env: environmentWithoutSettings(),
    maxBuffer: 64 * 1024 * 1024,
  });
  running.child.stdin?.end();
  const { stdout, stderr } = await running;
  return { stdout, stderr: stderr.toString('utf8') };
}

function settingArguments(settings: ReferenceSettings): string[] {
  return [
    ...['--model', settings.modelPath],
    ...['--ctx-size', String(settings.contextSize)],
    ...['--batch-size', String(settings.batchSize)],
    ...['--ubatch-size', String(settings.batchSize)],
    ...['--threads', String(settings.threads)],
    ...['--gpu-layers', '0'],
    '--no-warmup',
  ];
}

export async function inTemporaryDirectory<Result>(
  work: (directory: string) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'llama-native-test-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Continues a prompt greedily. The prompt comes from a file, and nothing in it is read as an escape. */
export async function completeGreedily(
  settings: ReferenceSettings,
  prompt: string,
  maxTokens: number,
  extraArguments: readonly string[] = [],
): Promise<ReferenceCompletion> {
  return inTemporaryDirectory(async (directory) => {
    const promptPath = path.join(directory, 'prompt.txt');
    await writeFile(promptPath, prompt);
    const toolArguments = [
      ...settingArguments(settings),
      ...['--binary-file', promptPath],
      ...['--predict', String(maxTokens)],
      ...['--temp', '0'],
      '--no-escape',
      '--no-conversation',
      '--no-display-prompt',
      ...extraArguments,
    ];
    const run = () => runTool('llama-completion', toolArguments);
    // What more arguments ask for may be files.
    const writesFiles = extraArguments.length > 0;
    const { stdout } = await (writesFiles
      ? run()
      : remembered(toolPath('llama-completion'), toolArguments, run));
    return trimCompletion(stdout);
  });
}

const endMarker = ' [end of text]\n';

/** Takes off what the tool prints behind the text: a mark if the model ended, a note on a saved session, two newlines. */
function trimCompletion(stdout: Buffer): ReferenceCompletion {
  const text = stdout
    .toString('latin1')
    .replace(/\nllama_completion: saving final output to session file [^\n]*\n/, '');
  if (!text.endsWith('\n\n'))
    throw new Error(`Unexpected end of llama-completion's output: ${JSON.stringify(text)}`);
  const body = text.slice(0, -2);
  const ended = body.endsWith(endMarker);
  return { bytes: Buffer.from(ended ? body.slice(0, -endMarker.length) : body, 'latin1'), ended };
}

/**
 * Like {@link completeGreedily}, with the token ids of prompt and text, which the tool only tells in its session file.
 * To write one it evaluates the prompt's last token apart; where two tokens are almost equally probable, that alone may
 * change the text.
 */
export async function completeGreedilyWithTokens(
  settings: ReferenceSettings,
  prompt: string,
  maxTokens: number,
): Promise<ReferenceCompletion & { readonly tokens: readonly number[] }> {
  return inTemporaryDirectory(async (directory) => {
    const sessionPath = path.join(directory, 'session.bin');
    const completion = await completeGreedily(settings, prompt, maxTokens, [
      ...['--prompt-cache', sessionPath],
      '--prompt-cache-all',
    ]);
    return { ...completion, tokens: readSessionTokens(await readFile(sessionPath)) };
  });
}

/** LLAMA_SESSION_MAGIC in llama.h. */
const sessionMagic = 0x6767736e;

/** The token ids in a session file: three 32-bit words (magic, version, count) and then the ids. */
function readSessionTokens(session: Buffer): number[] {
  if (session.readUInt32LE(0) !== sessionMagic) throw new Error('llama-completion wrote no session file');
  const count = session.readUInt32LE(8);
  return Array.from({ length: count }, (_, index) => session.readInt32LE(12 + 4 * index));
}

/** The conversation that llama.cpp's tools print as an example of a chat template (`common_chat_format_example`). */
export const exampleConversation = [
  { role: 'system', content: 'You are a helpful assistant' },
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Hi there' },
  { role: 'user', content: 'How are you?' },
] as const;

/** The example conversation as the reference renders it with a template file and the special tokens of the model. */
export async function renderExampleConversation(
  settings: ReferenceSettings,
  templatePath: string,
): Promise<string> {
  const { stderr } = await runTool('llama-completion', [
    ...settingArguments(settings),
    ...['--predict', '0'],
    ...['--prompt', 'Hello'],
    ...['--chat-template-file', templatePath],
    '--jinja',
    '--conversation',
    '--single-turn',
    '--no-repack', // nothing is evaluated, so weights need not be laid out for speed
    '--no-log-prefix',
    '--no-log-timestamps',
  ]);
  const example = /^llama_completion: chat template example:\n([\s\S]*?)\n\nsystem_info:/m.exec(stderr)?.[1];
  if (example === undefined)
    throw new Error(`llama-completion printed no example for ${templatePath}:\n${stderr}`);
  return example;
}

const separator = '<#separator#>';
const pairSeparator = '<#pair#>';

/** Settings of a comparison of embeddings. */
export interface EmbeddingSettings extends ReferenceSettings {
  readonly pooling: 'mean' | 'cls' | 'last' | 'none';
  /** Scale each vector to the Euclidean length 1. */
  readonly normalize: boolean;
}

/** The embeddings of texts in one run of `llama-embedding`; with pooling `none` one for each token of all texts. */
export async function embedWithReference(
  settings: EmbeddingSettings,
  texts: readonly string[],
): Promise<Float32Array[]> {
  return inTemporaryDirectory(async (directory) => {
    const textPath = path.join(directory, 'texts.txt');
    await writeFile(textPath, texts.join(separator));
    const output = await runUntilWhole('llama-embedding', [
      ...settingArguments(settings),
      ...['--binary-file', textPath],
      ...['--embd-separator', separator],
      ...['--pooling', settings.pooling],
      ...['--embd-normalize', settings.normalize ? '2' : '-1'],
      ...['--embd-output-format', 'array'],
      '--no-escape',
    ]);
    const rows = JSON.parse(output) as number[][];
    return rows.map((row) => Float32Array.from(row));
  });
}

/**
 * The first output of a model's head for pairs of texts, in one run of `llama-embedding`. Control tokens that are written
 * in a text are control tokens to it.
 */
export async function rankWithReference(
  settings: ReferenceSettings,
  query: string,
  documents: readonly string[],
): Promise<number[]> {
  return inTemporaryDirectory(async (directory) => {
    const textPath = path.join(directory, 'pairs.txt');
    const pairs = documents.map((document) => `${query}${pairSeparator}${document}`);
    await writeFile(textPath, pairs.join(separator));
    const output = await runUntilWhole('llama-embedding', [
      ...settingArguments(settings),
      ...['--binary-file', textPath],
      ...['--embd-separator', separator],
      ...['--cls-separator', pairSeparator],
      ...['--pooling', 'rank'],
      ...['--embd-normalize', '-1'],
      ...['--embd-output-format', 'array'],
      '--no-escape',
    ]);
    // A row is as long as an embedding, and only what the head gave is set in it.
    return (JSON.parse(output.replaceAll(/-?(nan|inf)/g, '0')) as number[][]).map(
      ([score]) => score ?? Number.NaN,
    );
  });
}

/**
 * The tool prints through llama.cpp's logger, whose thread the end of the process may overtake: then the last lines are
 * lost (see `common_log_main` in common/log.cpp), and only another run helps.
 */
async function runUntilWhole(tool: string, toolArguments: readonly string[]): Promise<string> {
  const { stdout } = await remembered(toolPath(tool), toolArguments, async () => {
    for (let attempt = 0; attempt < 20; attempt++) {
      const result = await runTool(tool, toolArguments);
      if (result.stdout.toString('utf8').trim().endsWith(']]')) return result;
    }
    throw new Error(`${tool} lost the end of its output in 20 runs`);
  });
  return stdout.toString('utf8');
}

/** Splits or merges a model as `llama-gguf-split` does. */
export async function runGgufSplit(...toolArguments: readonly string[]): Promise<void> {
  await runTool('llama-gguf-split', toolArguments);
}

/** Runs `llama-quantize` in a folder, so that its arguments can be names of files there; gives what it printed. */
export async function quantizeWithReference(
  directory: string,
  toolArguments: readonly string[],
): Promise<string> {
  const { stdout, stderr } = await runTool('llama-quantize', toolArguments, directory);
  return stdout.toString('utf8') + stderr;
}

import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { randomChanges, writeAdapter } from '../helpers/adapter-files.js';
import {
  type SmallCheckpoint,
  smallCheckpoints,
  writeSmallCheckpoint,
} from '../helpers/checkpoint-families.js';
import { rankingHead, writeBertModel } from '../helpers/embedding-models.js';
import { temporaryFile, uint32, writeTinyModel } from '../helpers/gguf-files.js';
import { HubServer } from '../helpers/hub-server.js';
import { testModelPath } from '../helpers/model.js';
import { llamaModel } from '../helpers/model-shapes.js';
import { inventImportance, writeImatrix, writeQuantizableModel } from '../helpers/quantize-models.js';
import { writeRandomModel } from '../helpers/random-models.js';
import { runProgram } from '../helpers/run-program.js';
import { startTestServer, type TestServer } from '../helpers/test-server.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Example {
  readonly name: string;
  readonly code: string;
}

/** The `ts` blocks of a page, each named by the line it begins in. */
function examplesOf(file: string): Example[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => ({
    name: `${file}:${text.slice(0, match.index).split('\n').length}`,
    code: match[1] ?? '',
  }));
}

/** The examples in the documentation comments of a source file. */
function docExamplesOf(file: string): Example[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/@example\n([\s\S]*?)\*\//g)].map((match) => ({
    name: `${file}:${text.slice(0, match.index).split('\n').length}`,
    code: (match[1] ?? '').replace(/^\s*\* ?/gm, '').replace(/^```(ts)?$/gm, ''),
  }));
}

/**
 * Examples name models that a reader would use; here they run on the test model, with few tokens and one thread. So
 * small a model may not come to an end by itself: the small context is one. Adapters, models to
 * quantize, checkpoints and importance matrices are of random numbers.
 */
function toProgram(code: string): string {
  const body = code
    .replace(/'(adapters\/[^']+|adapter\.gguf)'/g, 'process.env.ADAPTER')
    .replace(/compare\('model-f16\.gguf'/g, 'compare(process.env.READING_MODEL')
    .replace(/'model-f16\.gguf'/g, 'process.env.LARGE_MODEL')
    .replace(/'imatrix\.gguf'/g, 'process.env.IMATRIX')
    .replace(/'reranker\.gguf'/g, 'process.env.RERANKER')
    .replace(/'checkpoints\/[^']+'/g, 'process.env.CHECKPOINT')
    .replace(/'(hf:[^']+|models\/[^']+|model\.gguf)'/g, 'process.env.MODEL')
    .replace(/loadModel\(process\.env\.MODEL\)/g, 'loadModel(process.env.MODEL, {})')
    .replace(
      /loadModel\(process\.env\.MODEL, \{/g,
      'loadModel(process.env.MODEL, { threads: 1, contextSize: 1024,',
    )
    .replace(/createChat\(\)/g, 'createChat({ maxTokens: 20 })')
    .replace(/createChat\(\{(?![^}]*maxTokens)/g, 'createChat({ maxTokens: 20,');
  const imports = /from '(llama-native|openai|@anthropic-ai\/sdk)(\/server)?'|127\.0\.0\.1:8080/.test(body)
    ? ''
    : "import { loadModel } from 'llama-native';\n";
  const needsNoModel = imports === '' && !/\bloadModel\b|\bmodel\./.test(body);
  const load =
    needsNoModel || /const model = await loadModel/.test(body)
      ? ''
      : 'const model = await loadModel(process.env.MODEL, { threads: 1, contextSize: 1024 });\n';
  const close = load === '' ? '' : '\nawait model.close();\n';
  return `${imports}${load}${body}${close}`;
}

const sources = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join('lib', file));
const pages = readdirSync(join(root, 'docs'))
  .filter((file) => file.endsWith('.md'))
  .map((file) => join('docs', file));
const examples = [
  ...examplesOf('README.md'),
  ...examplesOf('README.zh-CN.md'),
  ...pages.flatMap(examplesOf),
  ...sources.flatMap(docExamplesOf),
];

/** The hub of the examples that ask one: small files under the names that a reader would use. */
async function startExampleHub(): Promise<HubServer> {
  const commit = 'c0ffee0123456789c0ffee0123456789c0ffee01';
  const gguf = readFileSync(await writeTinyModel({ 'llama.context_length': uint32(4096) }));
  return HubServer.start({
    'Qwen/Qwen3-8B-GGUF': { commit, tags: ['gguf'], files: { 'Qwen3-8B-Q4_K_M.gguf': gguf } },
    'Qwen/Qwen3-0.6B': {
      commit,
      files: { 'config.json': Buffer.from('{}'), 'model.safetensors': Buffer.from('weights') },
    },
  });
}

/** The server that examples of clients ask, under the names that they use. */
async function startExampleServer(): Promise<TestServer> {
  return startTestServer({
    models: [{ source: await testModelPath(), name: 'qwen', aliases: ['chat', 'gpt-4o-mini'] }],
    load: { threads: 1, contextSize: 1024 },
  });
}

/** Node.js 20 has the WebSocket of browsers only where it is asked for. */
const nodeArguments =
  typeof WebSocket === 'undefined'
    ? ['--experimental-websocket', '--disable-warning=ExperimentalWarning']
    : [];

let model: string;
let server: TestServer;
let folder: string;
let hub: HubServer;
beforeAll(async () => {
  model = await testModelPath();
  const header = await readGgufHeader(model);
  process.env.LARGE_MODEL = await writeQuantizableModel(await temporaryFile());
  process.env.IMATRIX = await writeImatrix(await temporaryFile(), inventImportance(2));
  process.env.RERANKER = await writeBertModel({ pooling: 'rank', head: rankingHead });
  process.env.READING_MODEL = await writeRandomModel(llamaModel());
  process.env.ADAPTER = await writeAdapter(header, randomChanges(header, { size: 0.01 }));
  folder = await mkdtemp(join(tmpdir(), 'examples-'));
  const [checkpoint] = smallCheckpoints;
  process.env.CHECKPOINT = await writeSmallCheckpoint(folder, checkpoint as SmallCheckpoint);
  hub = await startExampleHub();
  process.env.HF_ENDPOINT = hub.url;
  process.env.HF_HUB_CACHE = join(folder, 'cache');
  server = await startExampleServer();
});
afterAll(async () => {
  delete process.env.HF_ENDPOINT;
  delete process.env.HF_HUB_CACHE;
  await server.server.close();
  await hub[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('every example in the documentation runs', () => {
  it('and there are as many as expected', () => {
    expect(examples.length).toBeGreaterThanOrEqual(18);
  });

  it.each(examples)('$name', async ({ code }) => {
    const program = toProgram(code).replaceAll('127.0.0.1:8080', new URL(server.url).host);
    const result = await runProgram(program, model, nodeArguments);
    expect(result).toMatchObject({ signal: null, exitCode: 0, stderr: '' });
  });
});

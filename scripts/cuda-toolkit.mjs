#!/usr/bin/env node
// Unpacks a CUDA toolkit into .cache/cuda, for machines where none is installed: the compiler and the two libraries
// that ggml's CUDA backend needs, from NVIDIA's own Python packages. Compiling needs no GPU and no driver.
//
//   node scripts/cuda-toolkit.mjs            prints where the toolkit is, in words
//   eval "$(node scripts/cuda-toolkit.mjs --export)" && npm run compile:cuda -- --arch 90
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, exit, platform } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runProgram } from './commands.mjs';

/** The 13.0 line: the newest that drivers from release 580 on can run. */
const packages = [
  'nvidia-cuda-nvcc==13.0.88',
  'nvidia-cuda-crt==13.0.88',
  'nvidia-nvvm==13.0.88',
  'nvidia-cuda-runtime==13.0.96',
  'nvidia-cublas==13.0.2.14',
  'nvidia-cuda-cccl==13.0.85',
];

const cache = join(dirname(dirname(fileURLToPath(import.meta.url))), '.cache');
const target = join(cache, 'cuda');
const toolkit = join(target, 'nvidia', 'cu13');
const stampPath = join(target, 'packages.json');

function isComplete() {
  return existsSync(stampPath) && readFileSync(stampPath, 'utf8') === JSON.stringify(packages);
}

/** Python packages carry no links, and linkers look for names without a version. */
function addLinks(directory) {
  const libraries = join(directory, 'lib');
  const names = readdirSync(libraries);
  for (const name of names) {
    const plain = name.replace(/\.so\.\d+$/, '.so');
    if (plain !== name && !names.includes(plain)) symlinkSync(name, join(libraries, plain));
  }
  if (!existsSync(join(directory, 'lib64'))) symlinkSync('lib', join(directory, 'lib64'));
}

function install() {
  if (platform !== 'linux') {
    throw new Error(
      `Expected Linux, received ${platform}. Install the CUDA toolkit with NVIDIA's own installer.`,
    );
  }
  const scratch = `${target}-${process.pid}`;
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-warn-script-location'];
    const form = ['--no-deps', '--only-binary', ':all:', '--no-compile'];
    const install = ['-m', 'pip', 'install', ...quiet, ...form, '--target', scratch, ...packages];
    runProgram('python3', install, { inherit: true });
    addLinks(join(scratch, 'nvidia', 'cu13'));
    writeFileSync(join(scratch, 'packages.json'), JSON.stringify(packages));
    rmSync(target, { recursive: true, force: true });
    renameSync(scratch, target);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Unpacks the toolkit where it is not there yet, about half a gigabyte to download.
 *
 * @returns {{ root: string, compiler: string, version: string }}
 */
export function prepareCudaToolkit() {
  if (!isComplete()) {
    process.stderr.write(`> unpacking the CUDA toolkit into ${target}\n`);
    install();
  }
  const compiler = join(toolkit, 'bin', 'nvcc');
  const version = /release ([\d.]+)/.exec(runProgram(compiler, ['--version']))?.[1];
  if (version === undefined) throw new Error(`${compiler} did not say its version.`);
  return { root: toolkit, compiler, version };
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  try {
    const { root, compiler, version } = prepareCudaToolkit();
    if (argv.includes('--export')) {
      console.log(`export CUDAToolkit_ROOT='${root}' CUDACXX='${compiler}'`);
    } else {
      console.log(`CUDA ${version}\nCUDAToolkit_ROOT=${root}\nCUDACXX=${compiler}`);
    }
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    exit(1);
  }
}

// gpu-check build: compiles the addon, the CUDA backend and two of llama.cpp's tools, with plain CMake.
import { createWriteStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findGpus } from './nvidia-smi.mjs';
import { Report } from './report.mjs';

/** Where a build leaves its results. */
export function buildResults(directory) {
  const release = join(directory, 'Release');
  return {
    release,
    addon: join(release, 'llama_native.node'),
    cudaBackend: join(release, 'libggml-cuda.so'),
    bench: join(directory, 'bin', 'llama-bench'),
    quantize: join(directory, 'bin', 'llama-quantize'),
  };
}

/** In a checkout the headers come with npm's packages, in the packed form they lie in the same place. */
function headerDirectories(root) {
  const directories = {
    CMAKE_JS_INC: join(root, 'node_modules', 'node-api-headers', 'include'),
    NODE_ADDON_API_DIR: join(root, 'node_modules', 'node-addon-api'),
  };
  for (const directory of Object.values(directories)) {
    if (!existsSync(directory)) throw new Error(`Expected headers in ${directory}, found none.`);
  }
  return directories;
}

/**
 * The definitions CMake gets: what lib/build gives cmake-js, without cmake-js.
 *
 * @param {{ cpuOnly: boolean, headers: object, architectures?: string, cudaCompiler?: string, toolkit?: string }} choice
 * @returns {string[]}
 */
export function cmakeDefinitions({ cpuOnly, headers, architectures, cudaCompiler, toolkit }) {
  const definitions = {
    CMAKE_BUILD_TYPE: 'Release',
    LLAMA_NATIVE_PORTABLE: cpuOnly ? 'OFF' : 'ON',
    LLAMA_NATIVE_CUDA: cpuOnly ? 'OFF' : 'ON',
    LLAMA_NATIVE_TOOLS: 'ON',
    ...headers,
    ...(!cpuOnly && {
      CMAKE_CUDA_ARCHITECTURES: architectures,
      CMAKE_CUDA_COMPILER: cudaCompiler,
      CUDAToolkit_ROOT: toolkit,
    }),
  };
  return Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
}

/** Runs a program with its output in a log; now and then says how far it is. */
async function runLogged(report, runProcess, program, programArguments, { directory, log }) {
  report.say(`${program} ${programArguments.join(' ')}`);
  let lastSaid = performance.now();
  const result = await runProcess(program, programArguments, {
    workingDirectory: directory,
    onOutput: (text) => {
      log.write(text);
      const progress = /\[\d+\/\d+\].*/.exec(text)?.[0];
      if (progress === undefined || performance.now() - lastSaid < 15_000) return;
      lastSaid = performance.now();
      report.say(progress);
    },
  });
  return result;
}

async function chooseArchitectures(report, settings, { normalizeCudaArchitectures }) {
  if (settings.architectures !== undefined) {
    const given = normalizeCudaArchitectures(settings.architectures);
    report.say(`compiling for ${given}, as --arch says`);
    return given;
  }
  const gpus = findGpus();
  for (const { name, computeCapability, driver, totalMiB } of gpus) {
    report.say(`${name}, compute capability ${computeCapability}, ${totalMiB} MiB, driver ${driver}`);
  }
  const found = [...new Set(gpus.map(({ computeCapability }) => computeCapability))].join(';');
  const architectures = normalizeCudaArchitectures(found);
  report.say(`compiling for ${architectures}`);
  return architectures;
}

function describeFile(path) {
  if (!existsSync(path)) throw new Error(`The build ended without an error, but left no file at ${path}.`);
  return `${(statSync(path).size / 1e6).toFixed(1)} MB  ${path}`;
}

/**
 * Compiles everything that `run` needs. A build that was cut off goes on where it was.
 *
 * @returns {Promise<boolean>} true if all of it is there
 */
export async function build(settings) {
  const { root, dist, cpuOnly, jobs } = settings;
  const directory = settings.build;
  const load = (name) => import(pathToFileURL(join(dist, ...name.split('/'))).href);
  const { runProcess } = await load('build/run-process.js');
  const { failureExcerpt } = await load('build/failure-excerpt.js');
  const { inspectToolchain } = await load('build/toolchain.js');
  const { currentPlace } = await load('host/install-command.js');
  const report = new Report();

  const toolchain = await report.step('the programs a build needs', async () => {
    const found = inspectToolchain(currentPlace(), { cuda: !cpuOnly });
    const { compiler, cmakeVersion, hasNinja, hasCompilerCache, cudaCompiler } = found;
    report.say(`${compiler}, CMake ${cmakeVersion}, ${hasNinja ? 'Ninja' : 'make'}, ${jobs} jobs`);
    if (hasCompilerCache) report.say('ccache keeps what the compilers make');
    if (cudaCompiler === undefined) return found;
    const { output } = await runProcess(cudaCompiler, ['--version'], { workingDirectory: root });
    report.say(`${cudaCompiler}: ${/release [^\n]*/.exec(output)?.[0] ?? output}`);
    return found;
  });
  if (cpuOnly) report.skip('the CUDA backend', '--cpu-only: only the local form for the CPU is compiled');
  const architectures = cpuOnly
    ? undefined
    : await report.step('the GPU', async () =>
        chooseArchitectures(report, settings, await load('build/cuda-architectures.js')),
      );
  if (report.failures.length > 0) return report.conclude();

  mkdirSync(directory, { recursive: true });
  const log = createWriteStream(join(directory, 'gpu-check.log'));
  const { cudaCompiler } = toolchain;
  const toolkit = cudaCompiler && (process.env.CUDAToolkit_ROOT ?? join(cudaCompiler, '..', '..'));
  const runCMake = async (programArguments) => {
    const { exitCode, output } = await runLogged(report, runProcess, 'cmake', programArguments, {
      directory: root,
      log,
    });
    if (exitCode !== 0) throw new Error(`cmake ended with code ${exitCode}:\n${failureExcerpt(output)}`);
  };
  const configured = await report.step('configuring', async () => {
    const choice = { cpuOnly, headers: headerDirectories(root), architectures, cudaCompiler, toolkit };
    const generator = toolchain.hasNinja ? ['-G', 'Ninja'] : [];
    await runCMake(['-S', root, '-B', directory, ...generator, ...cmakeDefinitions(choice)]);
    return true;
  });
  if (configured) {
    const targets = ['llama_native', 'llama-bench', 'llama-quantize'];
    await report.step(`compiling ${targets.join(', ')}`, () =>
      runCMake(['--build', directory, '--parallel', String(jobs), '--target', ...targets]),
    );
  }
  log.end();
  if (report.failures.length === 0) {
    await report.step('the results', () => {
      const { addon, bench, quantize, cudaBackend } = buildResults(directory);
      const files = [addon, bench, quantize, ...(cpuOnly ? [] : [cudaBackend])];
      for (const path of files) report.say(describeFile(path));
    });
  }
  return report.conclude();
}

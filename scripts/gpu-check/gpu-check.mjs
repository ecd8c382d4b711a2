// Builds and tries the CUDA form on a machine with an NVIDIA GPU that has neither npm nor a network.
// docs/gpu-check.md says how to get everything there. Imports nothing that npm installs.
//
//   gpu-check.sh build    compiles the addon, the CUDA backend, llama-bench and llama-quantize
//   gpu-check.sh run      compares GPU and CPU, measures, prints a summary as JSON; exit code 1 if anything failed
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const usage = `Usage: gpu-check.sh build|run [options]
  --node FILE         the Node.js program to use, .xz allowed (default: gpu-check/node, then PATH)
  --dist DIRECTORY    the compiled library (default: dist)
  --build DIRECTORY   where to compile, and what to run (default: build-gpu-check)
  --model FILE        the model for run, a GGUF file (default: gpu-check/model.gguf)
  --arch LIST         build: GPU architectures instead of those of the GPU found, such as 90
  --jobs NUMBER       build: compilers at once (default: all processors)
  --threads NUMBER    run: threads on the CPU (default: the library's)
  --tolerance NUMBER  run: largest relative difference of the logits, weights in 32 bits (default: 0.01)
  --output FILE       run: where to write the summary (default: gpu-check.json in the build directory)
  --cpu-only          leave out everything that needs a GPU, to try the check itself`;

/** A number given on the command line; `fallback` where it was not given. */
function toNumber(name, value, fallback) {
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!(number > 0)) throw new Error(`Expected --${name} to be a number above 0, received ${value}.`);
  return number;
}

function requireFile(path, option) {
  if (existsSync(path)) return path;
  throw new Error(`Expected a file at ${path}, found none. Name it with ${option}.`);
}

function readArguments() {
  const text = { type: 'string' };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      node: text,
      dist: text,
      build: text,
      model: text,
      arch: text,
      jobs: text,
      threads: text,
      tolerance: text,
      output: text,
      'cpu-only': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const build = resolve(values.build ?? join(root, 'build-gpu-check'));
  const settings = {
    root,
    build,
    dist: resolve(values.dist ?? join(root, 'dist')),
    model: resolve(values.model ?? join(root, 'gpu-check', 'model.gguf')),
    output: resolve(values.output ?? join(build, 'gpu-check.json')),
    architectures: values.arch,
    jobs: toNumber('jobs', values.jobs, availableParallelism()),
    threads: toNumber('threads', values.threads, undefined),
    tolerance: toNumber('tolerance', values.tolerance, 0.01),
    cpuOnly: values['cpu-only'],
  };
  return { command: values.help ? 'help' : positionals.join(' '), settings };
}

async function main() {
  const { command, settings } = readArguments();
  if (command === 'help') return console.log(usage);
  if (command !== 'build' && command !== 'run') throw new Error(`Unknown command "${command}".\n${usage}`);
  requireFile(join(settings.dist, 'index.js'), '--dist');
  if (command === 'run') requireFile(settings.model, '--model');
  const module = await import(`./${command}.mjs`);
  process.exitCode = (await module[command](settings)) ? 0 : 1;
}

try {
  await main();
} catch (error) {
  console.error(`gpu-check: ${error.message}`);
  process.exitCode = 1;
}

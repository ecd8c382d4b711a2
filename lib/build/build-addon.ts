import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { createError, type LlamaNativeError } from '../errors.js';
import { currentPlace } from '../host/install-command.js';
import { findPackageRoot } from '../host/package-root.js';
import { buildDirectory, prepareBuildDirectory } from './build-directory.js';
import { detectCudaArchitectures, normalizeCudaArchitectures } from './cuda-architectures.js';
import { failureExcerpt } from './failure-excerpt.js';
import { runProcess } from './run-process.js';
import { inspectToolchain, type Toolchain } from './toolchain.js';

/**
 * What to compile: `local` for exactly this machine's processor; `portable` for any processor of this architecture,
 * chosen when it is loaded; `cuda` for NVIDIA GPUs, with everything of `portable`.
 */
export type BuildVariant = 'local' | 'portable' | 'cuda';

/** How to compile the addon. */
export interface BuildOptions {
  readonly variant: BuildVariant;
  /**
   * GPU generations for the `cuda` variant, such as `86` or `86-real;90-real`. Default: those of this machine's GPUs,
   * or where there is none, ggml's own list.
   */
  readonly cudaArchitectures?: string;
  /** Without optimisation and with debug information, into a directory of its own. Default false. */
  readonly debug?: boolean;
  /**
   * llama.cpp's own programs to compile as well, such as `llama-bench`; only in a git checkout, since the package does
   * not carry their sources. Default: none.
   */
  readonly tools?: readonly string[];
  /** Compilers at once. Default: the number of processors available. */
  readonly jobs?: number;
  /** Receives the output of CMake and the compilers as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Ends the build. What was compiled so far is kept and continued. */
  readonly signal?: AbortSignal;
}

/** What a build left behind. */
export interface BuildResult {
  /** Path of the compiled addon. */
  readonly addonPath: string;
  /** The programs that were used. */
  readonly toolchain: Toolchain;
}

function checkOptions(options: BuildOptions): void {
  const { variant, cudaArchitectures, jobs } = options;
  if (variant !== 'local' && variant !== 'portable' && variant !== 'cuda') {
    const received = JSON.stringify(variant);
    throw createError(
      'INVALID_ARGUMENT',
      `Expected variant to be local, portable or cuda, received ${received}.`,
    );
  }
  if (cudaArchitectures !== undefined && variant !== 'cuda') {
    throw createError(
      'INVALID_ARGUMENT',
      `cudaArchitectures was given, but the variant is ${variant}, not cuda.`,
    );
  }
  if (jobs !== undefined && !(Number.isInteger(jobs) && jobs > 0)) {
    throw createError('INVALID_ARGUMENT', `Expected jobs to be a whole number above 0, received ${jobs}.`);
  }
}

function checkSources(packageRoot: string): void {
  for (const path of [
    'CMakeLists.txt',
    join('binding', 'addon.cpp'),
    join('vendor', 'llama.cpp', 'CMakeLists.txt'),
  ]) {
    if (existsSync(join(packageRoot, path))) continue;
    const remedy = existsSync(join(packageRoot, '.git'))
      ? 'Fill it with: npm run vendor'
      : 'The package is incomplete: install it again.';
    throw createError(
      'BUILD_FAILED',
      `Expected the sources at ${join(packageRoot, path)}, found none. ${remedy}`,
    );
  }
}

/** CMake reads a backslash as the beginning of an escape. */
const withSlashes = (path: string): string => path.replaceAll('\\', '/');

/** What CMake has to know of CUDA: for which GPUs, and the very compiler that the inspection found. */
function cudaDefinitions(options: BuildOptions, { cudaCompiler }: Toolchain): Record<string, string> {
  const definitions: Record<string, string> = {};
  const architectures =
    options.cudaArchitectures === undefined
      ? detectCudaArchitectures(process.env)
      : normalizeCudaArchitectures(options.cudaArchitectures);
  if (architectures !== undefined) definitions.CMAKE_CUDA_ARCHITECTURES = architectures;
  if (cudaCompiler !== undefined) {
    definitions.CMAKE_CUDA_COMPILER = withSlashes(cudaCompiler);
    definitions.CUDAToolkit_ROOT = withSlashes(
      process.env.CUDAToolkit_ROOT ?? dirname(dirname(cudaCompiler)),
    );
  }
  return definitions;
}

function cmakeDefinitions(
  options: BuildOptions,
  toolchain: Toolchain,
  nodeAddonApi: string,
): Record<string, string> {
  const { variant } = options;
  return {
    LLAMA_NATIVE_PORTABLE: variant === 'local' ? 'OFF' : 'ON',
    LLAMA_NATIVE_CUDA: variant === 'cuda' ? 'ON' : 'OFF',
    NODE_ADDON_API_DIR: withSlashes(nodeAddonApi),
    ...(options.tools !== undefined && { LLAMA_NATIVE_TOOLS: 'ON' }),
    ...(variant === 'cuda' && cudaDefinitions(options, toolchain)),
  };
}

function buildFailed(step: string, exitCode: number | null, output: string): LlamaNativeError {
  const ending = exitCode === null ? 'was ended by a signal (out of memory?)' : `ended with code ${exitCode}`;
  const excerpt = failureExcerpt(output);
  return createError('BUILD_FAILED', `${step} ${ending}:\n${excerpt}`, {
    details: { step, exitCode, output },
  });
}

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

/** The commands for cmake-js, which knows where Node's headers are. */
function cmakeJsSteps(
  packageRoot: string,
  directory: string,
  toolchain: Toolchain,
  options: BuildOptions,
): Step[] {
  const config = options.debug ? 'Debug' : 'Release';
  const common = ['--directory', packageRoot, '--out', directory, '--config', config];
  const nodeAddonApi = dirname(createRequire(join(packageRoot, 'package.json')).resolve('node-addon-api'));
  const definitions = Object.entries(cmakeDefinitions(options, toolchain, nodeAddonApi));
  const settings = definitions.map(([name, value]) => `--CD${name}=${value}`);
  const jobs = String(options.jobs ?? availableParallelism());
  const compile = (target: string): Step => ({
    name: `Compiling ${target}`,
    command: ['build', ...common, '--target', target, '--parallel', jobs],
  });
  return [
    {
      name: 'Configuring',
      command: ['configure', ...common, ...(toolchain.hasNinja ? ['-G', 'Ninja'] : []), ...settings],
    },
    ...['llama_native', ...(options.tools ?? [])].map(compile),
  ];
}

async function runSteps(packageRoot: string, steps: readonly Step[], options: BuildOptions): Promise<void> {
  const cmakeJs = createRequire(join(packageRoot, 'package.json')).resolve('cmake-js/bin/cmake-js');
  for (const { name, command } of steps) {
    const { exitCode, output } = await runProcess(process.execPath, [cmakeJs, ...command], {
      workingDirectory: packageRoot,
      ...(options.onOutput && { onOutput: options.onOutput }),
      ...(options.signal && { signal: options.signal }),
    });
    if (exitCode !== 0) throw buildFailed(name, exitCode, output);
  }
}

/**
 * Compiles the addon from the sources in this package, in a git checkout and in an installed package alike. A second
 * call compiles only what changed.
 *
 * @throws `TOOL_MISSING` with the command that installs what is missing; `BUILD_FAILED` with the first error of the
 *   compiler; `INVALID_ARGUMENT`; `ABORTED`.
 */
export async function buildAddon(options: BuildOptions): Promise<BuildResult> {
  checkOptions(options);
  const { variant } = options;
  const packageRoot = realpathSync(findPackageRoot());
  checkSources(packageRoot);
  const toolchain = inspectToolchain(currentPlace(), { cuda: variant === 'cuda' });
  const directory = buildDirectory(packageRoot, variant, options.debug ?? false);
  const generator = toolchain.hasNinja ? 'Ninja' : undefined;
  const steps = cmakeJsSteps(packageRoot, directory, toolchain, options);
  const { cudaCompiler } = toolchain;
  prepareBuildDirectory(directory, { packageRoot, generator, variant, cudaCompiler });
  await runSteps(packageRoot, steps, options);
  const addonPath = join(directory, 'Release', 'llama_native.node');
  if (existsSync(addonPath)) return { addonPath, toolchain };
  throw createError('BUILD_FAILED', `The build ended without an error, but left no file at ${addonPath}.`);
}

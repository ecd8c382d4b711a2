import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createError, type LlamaNativeError } from '../errors.js';
import { findExecutable } from '../host/find-executable.js';
import { type BuildTool, type InstallPlace, installInstructions } from '../host/install-command.js';

/** The oldest CMake that CMakeLists.txt accepts. */
export const minimumCMakeVersion = '3.19';

/** The programs that a build on this machine will use. */
export interface Toolchain {
  /** Version of CMake, such as `3.25.1`. */
  readonly cmakeVersion: string;
  /** The C++ compiler's program; undefined on Windows, where CMake finds Visual Studio by itself. */
  readonly compiler: string | undefined;
  /** True when Ninja will drive the compilers. Without it GNU make (or MSBuild) does, which is slower to start. */
  readonly hasNinja: boolean;
  /** True when results of the compiler are kept, so that a second build from nothing takes seconds. */
  readonly hasCompilerCache: boolean;
  /** The CUDA compiler's program, nvcc; only where the build needs it, and not on Windows, as `compiler`. */
  readonly cudaCompiler?: string;
}

type Missing = { readonly tool: BuildTool; readonly reason: string };

function run(
  program: string,
  programArguments: readonly string[],
  place: InstallPlace,
  input = '',
): string | undefined {
  const result = spawnSync(program, programArguments, {
    env: place.environment,
    input,
    encoding: 'utf8',
    timeout: 60_000,
    windowsHide: true,
  });
  return result.status === 0 ? result.stdout : undefined;
}

function isOlder(version: string, minimum: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minimumMajor = 0, minimumMinor = 0] = minimum.split('.').map(Number);
  return major < minimumMajor || (major === minimumMajor && minor < minimumMinor);
}

function inspectCMake(place: InstallPlace): string | Missing {
  const program = findExecutable('cmake', place);
  if (program === undefined) return { tool: 'cmake', reason: 'CMake was not found on PATH' };
  const version = /cmake version (\d+\.\d+\.\d+)/.exec(run(program, ['--version'], place) ?? '')?.[1];
  if (version === undefined) return { tool: 'cmake', reason: `${program} did not say its version` };
  if (!isOlder(version, minimumCMakeVersion)) return version;
  const reason =
    `CMake ${version} at ${program} is older than ${minimumCMakeVersion} ` +
    '(when the package manager has no newer one: python3 -m pip install --user cmake)';
  return { tool: 'cmake', reason };
}

/** A program that shows both that the compiler knows C++17 and that its standard library is installed. */
const probeSource = '#include <optional>\n#include <string_view>\nstd::optional<std::string_view> probe();\n';

function compilesCxx17(program: string, place: InstallPlace): boolean {
  return run(program, ['-std=c++17', '-fsyntax-only', '-x', 'c++', '-'], place, probeSource) !== undefined;
}

function inspectPosixCompiler(place: InstallPlace): string | Missing {
  // On macOS the compiler's name always exists; without the developer tools it only opens a dialog.
  if (place.platform === 'darwin' && run('xcode-select', ['-p'], place) === undefined) {
    return { tool: 'compiler', reason: "Xcode's command line tools are not installed" };
  }
  const names = [place.environment.CXX ?? '', 'c++', 'g++', 'clang++'].filter(Boolean);
  const programs = names.map(
    (name) => findExecutable(name, place) ?? (name.includes('/') ? name : undefined),
  );
  const found = programs.filter((program) => program !== undefined);
  const compiler = found.find((program) => compilesCxx17(program, place));
  if (compiler !== undefined) return compiler;
  const reason =
    found.length === 0
      ? `no C++ compiler was found on PATH (looked for ${names.join(', ')})`
      : `${found.join(', ')} cannot compile C++17 with its standard library`;
  return { tool: 'compiler', reason };
}

function inspectVisualStudio(place: InstallPlace): undefined | Missing {
  if (findExecutable('cl', place) !== undefined) return undefined;
  const programFiles = place.environment['ProgramFiles(x86)'] ?? 'C:\\Program Files (x86)';
  const locator = join(programFiles, 'Microsoft Visual Studio', 'Installer', 'vswhere.exe');
  const query = [
    '-latest',
    '-products',
    '*',
    '-requires',
    'Microsoft.VisualStudio.Component.VC.Tools.x86.x64',
  ];
  const installation = run(locator, [...query, '-property', 'installationPath'], place)?.trim();
  if (installation) return undefined;
  return { tool: 'compiler', reason: 'Visual Studio with the C++ tools was not found' };
}

/** What the user names comes before what happens to be installed, in the order in which CMake reads it. */
function inspectCuda(place: InstallPlace): string | Missing {
  const { CUDACXX = '', CUDAToolkit_ROOT, CUDA_PATH } = place.environment;
  const candidates = [
    findExecutable(CUDACXX, place) ?? CUDACXX,
    CUDAToolkit_ROOT && join(CUDAToolkit_ROOT, 'bin', 'nvcc'),
    CUDA_PATH && join(CUDA_PATH, 'bin', 'nvcc'),
    findExecutable('nvcc', place),
    '/usr/local/cuda/bin/nvcc',
  ];
  for (const candidate of candidates) {
    if (candidate && run(candidate, ['--version'], place) !== undefined) return candidate;
  }
  return {
    tool: 'cuda',
    reason:
      'the CUDA compiler nvcc was not found (CUDACXX, CUDAToolkit_ROOT, CUDA_PATH, PATH, /usr/local/cuda)',
  };
}

function toolMissing(missing: readonly Missing[], place: InstallPlace): LlamaNativeError {
  const tools = missing.map(({ tool }) => tool);
  const reasons = missing.map(({ reason }) => reason).join('; ');
  const instructions = installInstructions(tools, place).replaceAll('\n', '\n  ');
  return createError(
    'TOOL_MISSING',
    `Cannot compile here: ${reasons}. To install what is missing:\n  ${instructions}`,
    {
      details: { tools, instructions },
    },
  );
}

/**
 * Looks for everything a build needs, and reports all that is missing at once.
 *
 * @throws `TOOL_MISSING`, with the command that installs it on this machine.
 */
export function inspectToolchain(place: InstallPlace, needs: { readonly cuda: boolean }): Toolchain {
  const missing: Missing[] = [];
  const keep = <Value>(result: Value | Missing): Value | undefined => {
    if (typeof result !== 'object' || result === null || !('reason' in result)) return result;
    missing.push(result);
    return undefined;
  };
  const isWindows = place.platform === 'win32';
  const compiler = keep<string | undefined>(
    isWindows ? inspectVisualStudio(place) : inspectPosixCompiler(place),
  );
  const cmakeVersion = keep(inspectCMake(place));
  // On Windows Ninja works only in a prompt that has the compiler on its PATH; elsewhere MSBuild finds the compiler.
  const ninja = findExecutable('ninja', place) ?? findExecutable('ninja-build', place);
  const hasNinja = ninja !== undefined && (!isWindows || findExecutable('cl', place) !== undefined);
  if (!hasNinja && !isWindows && findExecutable('make', place) === undefined) {
    missing.push({ tool: 'ninja', reason: 'neither Ninja nor make was found on PATH' });
  }
  const cudaCompiler = needs.cuda ? keep<string>(inspectCuda(place)) : undefined;
  if (missing.length > 0 || cmakeVersion === undefined) throw toolMissing(missing, place);
  return {
    cmakeVersion,
    compiler,
    hasNinja,
    hasCompilerCache: findExecutable('ccache', place) !== undefined,
    ...(cudaCompiler !== undefined && !isWindows && { cudaCompiler }),
  };
}

import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildAddon } from '../../lib/build/build-addon.js';
import { buildDirectory, prepareBuildDirectory } from '../../lib/build/build-directory.js';
import { normalizeCudaArchitectures } from '../../lib/build/cuda-architectures.js';
import { failureExcerpt } from '../../lib/build/failure-excerpt.js';
import { runProcess } from '../../lib/build/run-process.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-native-build-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('CUDA architectures', () => {
  it.each([
    ['86', '86-real'],
    ['8.6', '86-real'],
    ['86-real;90-virtual', '86-real;90-virtual'],
    ['80, 120a', '80-real;120a-real'],
  ])('%s become %s', (given, expected) => {
    expect(normalizeCudaArchitectures(given)).toBe(expected);
  });

  it.each(['', 'ampere', '86;-DX=1', '8'])('refuse %j', (given) => {
    expect(() => normalizeCudaArchitectures(given)).toThrowError(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: { value: given } }),
    );
  });
});

describe('The directory of a build', () => {
  it('is one for each variant in a git checkout', () => {
    mkdirSync(join(directory, '.git'));
    expect(buildDirectory(directory, 'local', false)).toBe(join(directory, 'build'));
    expect(buildDirectory(directory, 'portable', false)).toBe(join(directory, 'build-portable'));
    expect(buildDirectory(directory, 'cuda', false)).toBe(join(directory, 'build-cuda'));
    expect(buildDirectory(directory, 'local', true)).toBe(join(directory, 'build-debug'));
  });

  it('is the one the addon is loaded from in an installed package', () => {
    expect(buildDirectory(directory, 'cuda', false)).toBe(join(directory, 'build'));
  });

  function writeCache(entries: Record<string, string>): string {
    const build = join(directory, 'build');
    mkdirSync(build, { recursive: true });
    const lines = Object.entries(entries).map(([name, value]) => `${name}:STRING=${value}\n`);
    writeFileSync(join(build, 'CMakeCache.txt'), `# a comment\n${lines.join('')}`);
    return build;
  }

  it('is kept when the same build is continued', () => {
    const build = writeCache({ CMAKE_HOME_DIRECTORY: directory, CMAKE_GENERATOR: 'Ninja' });
    prepareBuildDirectory(build, { packageRoot: directory, generator: 'Ninja', variant: 'local' });
    expect(existsSync(join(build, 'CMakeCache.txt'))).toBe(true);
  });

  it.each([
    ['the package was moved', { CMAKE_HOME_DIRECTORY: '/elsewhere' }],
    ['another generator was used', { CMAKE_GENERATOR: 'Unix Makefiles' }],
    ['another variant was built', { LLAMA_NATIVE_PORTABLE: 'ON' }],
    ['CUDA was built', { LLAMA_NATIVE_PORTABLE: 'ON', LLAMA_NATIVE_CUDA: 'ON' }],
  ])('is emptied when %s', (_, changed) => {
    const build = writeCache({ CMAKE_HOME_DIRECTORY: directory, CMAKE_GENERATOR: 'Ninja', ...changed });
    prepareBuildDirectory(build, { packageRoot: directory, generator: 'Ninja', variant: 'local' });
    expect(existsSync(build)).toBe(false);
  });

  it.each([
    ['kept', '/cuda-13.0/bin/nvcc', true],
    ['emptied', '/cuda-13.1/bin/nvcc', false],
  ])('is %s for CUDA when the compiler was %s', (_, compiler, isKept) => {
    const build = writeCache({
      CMAKE_HOME_DIRECTORY: directory,
      CMAKE_GENERATOR: 'Ninja',
      LLAMA_NATIVE_CUDA: 'ON',
      CMAKE_CUDA_COMPILER: compiler,
    });
    const cudaCompiler = '/cuda-13.0/bin/nvcc';
    prepareBuildDirectory(build, {
      packageRoot: directory,
      generator: 'Ninja',
      variant: 'cuda',
      cudaCompiler,
    });
    expect(existsSync(build)).toBe(isKept);
  });
});

describe('A program that the build runs', () => {
  const options = () => ({ workingDirectory: directory });

  it('has its output passed on as it comes, and returned with its exit code', async () => {
    const pieces: string[] = [];
    const program = 'console.log("out"); console.error("err"); process.exitCode = 3';
    const result = await runProcess(process.execPath, ['-e', program], {
      ...options(),
      onOutput: (text) => pieces.push(text),
    });
    expect(result.exitCode).toBe(3);
    expect(result.output).toContain('out\n');
    expect(result.output).toContain('err\n');
    expect(pieces.join('')).toBe(result.output);
  });

  it.skipIf(process.platform === 'win32')('ends with all it started when it is cancelled', async () => {
    const beats = join(directory, 'beats');
    const beat = `require('fs').appendFileSync(${JSON.stringify(beats)}, '.')`;
    const grandchild = `${beat}; setInterval(() => { ${beat} }, 5)`;
    const program = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { stdio: 'inherit' })`;
    const controller = new AbortController();
    const running = runProcess(process.execPath, ['-e', program], {
      ...options(),
      signal: controller.signal,
    });
    const outcome = expect(running).rejects.toMatchObject({ code: 'ABORTED', name: 'AbortError' });
    while (!existsSync(beats)) await delay(10);
    controller.abort();
    await outcome;
    const count = statSync(beats).size;
    await delay(100);
    expect(statSync(beats).size).toBe(count);
  });

  it('is not started at all when it was cancelled before', async () => {
    const marker = join(directory, 'started');
    const program = `require('fs').writeFileSync(${JSON.stringify(marker)}, '')`;
    const signal = AbortSignal.abort();
    await expect(
      runProcess(process.execPath, ['-e', program], { ...options(), signal }),
    ).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(existsSync(marker)).toBe(false);
  });
});

describe('buildAddon', () => {
  it('refuses architectures without CUDA, and a number of jobs that is none', async () => {
    const withoutCuda = buildAddon({ variant: 'local', cudaArchitectures: '86' });
    await expect(withoutCuda).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const withoutJobs = buildAddon({ variant: 'local', jobs: 0 });
    await expect(withoutJobs).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('Of the output of a build that failed', () => {
  it('the part from the first error on is shown, not what came before', () => {
    const output = [
      'fatal: not a git repository (or any of the parent directories): .git',
      'src/errors.cpp:3:1: warning: unused',
      '[7/9] Building CXX object a.o',
      'FAILED: a.o',
      'a.cpp:1:10: fatal error: missing.h: No such file or directory',
      'ninja: build stopped: subcommand failed.',
      '',
    ].join('\n');
    expect(failureExcerpt(output)).toBe(output.slice(output.indexOf('FAILED')).trimEnd());
  });

  it.each([
    'CMake Error at CMakeLists.txt:36 (message):',
    "a.cpp:1:1: error: unknown type name 'x'",
    'C:\\a.cpp(1,10): fatal error C1083: Cannot open include file',
    'LINK : fatal error LNK1104: cannot open file',
  ])('"%s" is where it begins', (line) => {
    expect(failureExcerpt(`-- before\n${line}\nafter`)).toBe(`${line}\nafter`);
  });

  it('the end is shown when no line looks like an error', () => {
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`);
    expect(failureExcerpt(lines.join('\n'))).toBe(lines.slice(15).join('\n'));
  });
});

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectToolchain } from '../../lib/build/toolchain.js';
import { LlamaNativeError } from '../../lib/errors.js';
import { findExecutable } from '../../lib/host/find-executable.js';
import { type InstallPlace, installInstructions } from '../../lib/host/install-command.js';

let directory: string;
let programs: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-native-toolchain-'));
  programs = join(directory, 'bin');
  mkdirSync(programs);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Puts a program on the PATH of the machine under test. */
function addProgram(name: string, body = 'exit 0'): string {
  const path = join(programs, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

function machine(overrides: Partial<InstallPlace> = {}): InstallPlace {
  return { platform: 'linux', environment: { PATH: programs }, isRoot: false, ...overrides };
}

function failureOf(place: InstallPlace, needs = { cuda: false }): LlamaNativeError {
  try {
    inspectToolchain(place, needs);
  } catch (error) {
    if (LlamaNativeError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('inspectToolchain found everything.');
}

describe.skipIf(process.platform === 'win32')('the toolchain', () => {
  it('is found with its version when everything is on PATH', () => {
    const compiler = addProgram('g++');
    addProgram('cmake', 'echo cmake version 3.25.1');
    addProgram('ninja');
    expect(inspectToolchain(machine(), { cuda: false })).toEqual({
      cmakeVersion: '3.25.1',
      compiler,
      hasNinja: true,
      hasCompilerCache: false,
    });
  });

  it('works with make where there is no Ninja', () => {
    addProgram('c++');
    addProgram('cmake', 'echo cmake version 4.1.0');
    addProgram('make');
    addProgram('ccache');
    expect(inspectToolchain(machine(), { cuda: false })).toMatchObject({
      hasNinja: false,
      hasCompilerCache: true,
    });
  });

  it('that is missing altogether is reported in one error with one command', () => {
    addProgram('apt-get');
    const error = failureOf(machine());
    expect(error.code).toBe('TOOL_MISSING');
    expect(error.message).toContain('sudo apt-get install -y g++ cmake ninja-build');
    expect(error.details).toMatchObject({ tools: ['compiler', 'cmake', 'ninja'] });
  });

  it('asks for nothing that is already there', () => {
    addProgram('apt-get');
    addProgram('g++');
    addProgram('make');
    expect(failureOf(machine()).details.instructions).toBe('sudo apt-get install -y cmake');
  });

  it('passes over a compiler that cannot compile C++17 for one that can', () => {
    addProgram('c++', 'exit 1');
    const clang = addProgram('clang++');
    addProgram('cmake', 'echo cmake version 3.25.1');
    addProgram('make');
    expect(inspectToolchain(machine(), { cuda: false }).compiler).toBe(clang);
  });

  it('with only such a compiler is reported with its path', () => {
    const old = addProgram('g++', 'exit 1');
    addProgram('cmake', 'echo cmake version 3.25.1');
    addProgram('make');
    expect(failureOf(machine()).message).toContain(`${old} cannot compile C++17`);
  });

  it('with a CMake that is too old names both versions', () => {
    addProgram('g++');
    addProgram('make');
    addProgram('cmake', 'echo cmake version 3.16.3');
    expect(failureOf(machine()).message).toMatch(/CMake 3\.16\.3 at .* is older than 3\.19/);
  });

  it('for CUDA needs nvcc as well', () => {
    addProgram('pacman');
    addProgram('g++');
    addProgram('make');
    addProgram('cmake', 'echo cmake version 3.25.1');
    const environment = { PATH: programs, CUDA_PATH: join(directory, 'cuda') };
    const error = failureOf(machine({ environment }), { cuda: true });
    expect(error.message).toContain('sudo pacman -S --needed --noconfirm cuda');
  });

  it.each([
    ['CUDACXX', (named: string) => ({ CUDACXX: named })],
    ['CUDAToolkit_ROOT', () => ({ CUDAToolkit_ROOT: join(directory, 'named') })],
    ['CUDA_PATH', () => ({ CUDA_PATH: join(directory, 'named') })],
  ])('for CUDA takes the compiler that %s names before the one on PATH', (_, variables) => {
    addProgram('g++');
    addProgram('make');
    addProgram('cmake', 'echo cmake version 3.25.1');
    const onPath = addProgram('nvcc');
    const named = join(directory, 'named', 'bin', 'nvcc');
    mkdirSync(dirname(named), { recursive: true });
    copyFileSync(onPath, named);
    const environment = { PATH: programs, ...variables(named) };
    expect(inspectToolchain(machine({ environment }), { cuda: true }).cudaCompiler).toBe(named);
    const unnamed = machine({ environment: { PATH: programs } });
    expect(inspectToolchain(unnamed, { cuda: true }).cudaCompiler).toBe(onPath);
    expect(inspectToolchain(unnamed, { cuda: false }).cudaCompiler).toBeUndefined();
  });

  it('finds the compiler that CXX names', () => {
    const named = addProgram('my-compiler');
    addProgram('g++');
    addProgram('make');
    addProgram('cmake', 'echo cmake version 3.25.1');
    const environment = { PATH: programs, CXX: 'my-compiler' };
    expect(inspectToolchain(machine({ environment }), { cuda: false }).compiler).toBe(named);
  });
});

describe.skipIf(process.platform === 'win32')('the command that installs tools', () => {
  it.each([
    ['apt-get', 'apt-get install -y g++ cmake'],
    ['dnf', 'dnf install -y gcc-c++ cmake'],
    ['pacman', 'pacman -S --needed --noconfirm gcc cmake'],
    ['apk', 'apk add build-base linux-headers cmake'],
    ['zypper', 'zypper install -y gcc-c++ cmake'],
  ])('with %s is "%s"', (program, command) => {
    addProgram(program);
    expect(installInstructions(['compiler', 'cmake'], machine({ isRoot: true }))).toBe(command);
    expect(installInstructions(['compiler', 'cmake'], machine())).toBe(`sudo ${command}`);
  });

  it('on macOS installs the compiler from Xcode and the rest from Homebrew', () => {
    addProgram('brew');
    const place = machine({ platform: 'darwin' });
    expect(installInstructions(['compiler', 'cmake', 'ninja'], place)).toBe(
      'xcode-select --install\nbrew install cmake ninja',
    );
  });

  it('on macOS without Homebrew says where to get CMake', () => {
    const instructions = installInstructions(['cmake'], machine({ platform: 'darwin' }));
    expect(instructions).toContain('https://cmake.org/download/');
  });

  it('on Windows is winget', () => {
    const instructions = installInstructions(['compiler', 'cmake'], machine({ platform: 'win32' }));
    expect(instructions).toContain('winget install --id Microsoft.VisualStudio.2022.BuildTools');
    expect(instructions).toContain('winget install --id Kitware.CMake');
  });

  it('says where to get a tool that the package manager does not have', () => {
    addProgram('apk');
    const instructions = installInstructions(['cmake', 'cuda'], machine({ isRoot: true }));
    expect(instructions).toMatch(/^apk add cmake\ninstall NVIDIA's CUDA toolkit from https:/);
  });
});

describe.skipIf(process.platform === 'win32')('a program on PATH', () => {
  it('is found in the first folder that has it, and not when it cannot be run', () => {
    const other = join(directory, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'tool'), 'text');
    mkdirSync(join(other, 'cmake'));
    const tool = addProgram('tool');
    const cmake = addProgram('cmake');
    const place = machine({ environment: { PATH: `${other}:${join(directory, 'absent')}:${programs}` } });
    expect(findExecutable('tool', place)).toBe(tool);
    expect(findExecutable('cmake', place)).toBe(cmake);
    expect(findExecutable('absent', place)).toBeUndefined();
  });
});

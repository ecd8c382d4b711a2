import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeHost, type Host, inspectHost } from '../../lib/host/describe-host.js';
import { findPackageRoot, findPackageRootAbove } from '../../lib/host/package-root.js';
import { addonLoadFailed } from '../../lib/native/addon-errors.js';
import { findAddon } from '../../lib/native/find-addon.js';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'llama-native-find-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function writeFile(...names: string[]): string {
  const path = join(root, ...names);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  return path;
}

const prebuilt = () => writeFile('prebuilds', `${process.platform}-${process.arch}`, 'llama-native.node');

describe('The addon', () => {
  it('compiled on this machine is preferred to the one that came with the package', () => {
    prebuilt();
    const compiled = writeFile('build', 'Release', 'llama_native.node');
    expect(findAddon(root, {})).toBe(compiled);
  });

  it('that came with the package is used otherwise, whatever libraries lie beside it', () => {
    writeFile('prebuilds', `${process.platform}-${process.arch}`, 'libggml-cpu-x64.so');
    const path = prebuilt();
    expect(findAddon(root, {})).toBe(path);
  });

  it('that LLAMA_NATIVE_ADDON names is preferred to all others', () => {
    writeFile('build', 'Release', 'llama_native.node');
    const named = writeFile('elsewhere', 'other.node');
    expect(findAddon(root, { LLAMA_NATIVE_ADDON: named })).toBe(named);
  });

  it('that LLAMA_NATIVE_ADDON names must exist', () => {
    const path = join(root, 'absent.node');
    expect(() => findAddon(root, { LLAMA_NATIVE_ADDON: path })).toThrowError(
      expect.objectContaining({ code: 'ADDON_NOT_FOUND', details: { path } }),
    );
  });

  it('for another platform is not taken, and the error says where it looked and what to type', () => {
    writeFile('prebuilds', 'sunos-sparc', 'llama-native.node');
    expect(() => findAddon(root, {})).toThrowError(
      expect.objectContaining({
        code: 'ADDON_NOT_FOUND',
        message: expect.stringMatching(/npx llama-native build[\s\S]*C\+\+17 compiler and CMake/),
        details: expect.objectContaining({
          lookedAt: [
            join(root, 'build', 'Release'),
            join(root, 'prebuilds', `${process.platform}-${process.arch}`),
          ],
        }),
      }),
    );
  });
});

describe('An addon that does not load', () => {
  const debian: Host = {
    platform: 'linux',
    arch: 'x64',
    libc: 'glibc',
    libcVersion: '2.31',
    nodeVersion: 'v20.20.2',
  };
  const alpine: Host = { ...debian, libc: 'musl', libcVersion: undefined };

  it.each<[string, Host, string, RegExp]>([
    [
      'a newer glibc',
      debian,
      "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by llama-native.node)",
      /needs glibc 2\.34, this machine has 2\.31/,
    ],
    [
      'a newer libstdc++',
      debian,
      "/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found",
      /C\+\+ runtime \(libstdc\+\+\) is missing, or older/,
    ],
    [
      'glibc where there is musl',
      alpine,
      'Error loading shared library ld-linux-x86-64.so.2: No such file or directory',
      /uses the C library musl/,
    ],
    ['another processor', debian, 'llama-native.node: wrong ELF class: ELFCLASS32', /than linux x64/],
    [
      'a library beside it',
      debian,
      'libllama-native-ggml.so: cannot open shared object file: No such file or directory',
      /folder is incomplete/,
    ],
    [
      'CUDA',
      debian,
      'libcudart.so.13: cannot open shared object file: No such file or directory',
      /NVIDIA's CUDA toolkit or driver/,
    ],
  ])(
    'because it needs %s is explained, with the loader’s words and what to type',
    (_, host, words, explanation) => {
      const error = addonLoadFailed('/package/llama-native.node', new Error(words), host);
      expect(error.code).toBe('ADDON_LOAD_FAILED');
      expect(error.message).toMatch(explanation);
      expect(error.message).toContain(words);
      expect(error.message).toContain('npx llama-native build');
    },
  );

  it('for a reason that is not known still carries the loader’s words', () => {
    const error = addonLoadFailed('/package/llama-native.node', new Error('something new'), debian);
    expect(error.message).toContain('linux x64 (glibc 2.31), Node.js v20.20.2: something new\nTo compile it');
  });
});

describe('The package root', () => {
  it('is the nearest folder above whose package.json has the package’s name', () => {
    writeFileSync(join(root, 'package.json'), '{ "name": "llama-native" }');
    mkdirSync(join(root, 'dist', 'host'), { recursive: true });
    writeFileSync(join(root, 'dist', 'package.json'), '{ "type": "module" }');
    expect(findPackageRootAbove(join(root, 'dist', 'host'))).toBe(root);
  });

  it('is that of this checkout for the code in it', () => {
    expect(findPackageRoot()).toBe(dirname(dirname(import.meta.dirname)));
  });

  it('that is not there is an error that speaks of bundlers', () => {
    expect(() => findPackageRootAbove(root)).toThrowError(
      expect.objectContaining({ code: 'ADDON_NOT_FOUND', message: expect.stringContaining('external') }),
    );
  });
});

describe('The host', () => {
  it('is described with its platform, processor, C library and Node.js', () => {
    const host = inspectHost();
    const libc = process.platform === 'linux' ? /^linux \S+ \((glibc \d+\.\d+|musl)\), / : /^\S+ \S+, /;
    expect(describeHost(host)).toMatch(libc);
    expect(describeHost(host)).toContain(`Node.js ${process.version}`);
  });
});

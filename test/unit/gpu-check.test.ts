import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cmakeDefinitions } from '../../scripts/gpu-check/build.mjs';
import { compareLogits, median, relativeDifference } from '../../scripts/gpu-check/compare.mjs';
import { parseGpus } from '../../scripts/gpu-check/nvidia-smi.mjs';
import { isNeeded, listTravelling } from '../../scripts/gpu-check/pack-list.mjs';
import { Report } from '../../scripts/gpu-check/report.mjs';
import { SplitWriter } from '../../scripts/gpu-check/split-writer.mjs';

const scripts = fileURLToPath(new URL('../../scripts/gpu-check/', import.meta.url));
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-native-gpu-check-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('Logits of two runs', () => {
  it('differ by the norm of their difference over the norm of the reference', () => {
    expect(relativeDifference([3, 4.5], [3, 4])).toBeCloseTo(0.1);
    expect(relativeDifference([3, 4], [3, 4])).toBe(0);
  });

  it('are compared row by row and all together', () => {
    const reference = Float32Array.of(3, 4, 0, 10);
    const values = Float32Array.of(3, 4.5, 0, 10);
    const { rows, difference, largestRowDifference, sameFirstChoice } = compareLogits(values, reference, 2);
    expect(rows).toBe(2);
    expect(largestRowDifference).toBeCloseTo(0.1);
    expect(difference).toBeCloseTo(0.5 / Math.hypot(3, 4, 10));
    expect(sameFirstChoice).toBe(2);
  });

  it('show a row whose first choice changed', () => {
    const changed = compareLogits(Float32Array.of(1, 2, 5, 4), Float32Array.of(1, 2, 4, 5), 2);
    expect(changed.sameFirstChoice).toBe(1);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('are refused when one of them is %s', (value) => {
    const compare = () => compareLogits(Float32Array.of(1, 2, 3, value), Float32Array.of(1, 2, 3, 4), 2);
    expect(compare).toThrowError(/finite logits, received others for token 1/);
  });

  it.each([
    ['different lengths', [1, 2], [1, 2, 3, 4]],
    ['no logits at all', [], []],
    ['half a row', [1, 2, 3], [1, 2, 3]],
  ])('are refused with %s', (_, values, reference) => {
    const compare = () => compareLogits(Float32Array.from(values), Float32Array.from(reference), 2);
    expect(compare).toThrowError(/Expected two equal numbers of logits/);
  });
});

describe('The median', () => {
  it('is the middle one by size, not by the letters of the number', () => {
    expect(median([100, 9, 20])).toBe(20);
  });
});

describe("The driver's list of GPUs", () => {
  it('is read with sizes as numbers', () => {
    const text = 'NVIDIA H200, 9.0, 580.159.04, 143771, 4\nNVIDIA GeForce RTX 3060, 8.6, 580.1, 12288, 512\n';
    expect(parseGpus(text)).toEqual([
      { name: 'NVIDIA H200', computeCapability: '9.0', driver: '580.159.04', totalMiB: 143771, usedMiB: 4 },
      {
        name: 'NVIDIA GeForce RTX 3060',
        computeCapability: '8.6',
        driver: '580.1',
        totalMiB: 12288,
        usedMiB: 512,
      },
    ]);
  });

  it('is refused when the driver says something else', () => {
    expect(() => parseGpus('No devices were found\n')).toThrowError(/received: No devices were found/);
  });
});

describe('A report', () => {
  it('goes on after a step that failed, and fails in the end', async () => {
    const lines: string[] = [];
    const report = new Report((line) => lines.push(line));
    const failed = await report.step('first', () => {
      throw new Error('the reason');
    });
    expect(failed).toBeUndefined();
    expect(await report.step('second', async () => 7)).toBe(7);
    expect(report.conclude()).toBe(false);
    expect(report.failures).toEqual([{ step: 'first', reason: 'the reason' }]);
    expect(lines).toContain('FAILED: first: the reason');
    expect(lines.at(-1)).toBe('gpu-check: FAILED');
  });

  it('tells what was left out, and passes nevertheless', () => {
    const lines: string[] = [];
    const report = new Report((line) => lines.push(line));
    report.skip('memory', 'no GPU');
    expect(report.conclude()).toBe(true);
    expect(lines).toContain('skipped: memory (no GPU)');
  });
});

describe('The definitions for CMake', () => {
  const headers = { CMAKE_JS_INC: '/headers' };

  it('name the GPUs and the compiler for them', () => {
    const choice = { headers, architectures: '90-real', cudaCompiler: '/cuda/bin/nvcc', toolkit: '/cuda' };
    const definitions = cmakeDefinitions({ cpuOnly: false, ...choice });
    expect(definitions).toEqual(
      expect.arrayContaining([
        '-DLLAMA_NATIVE_CUDA=ON',
        '-DCMAKE_JS_INC=/headers',
        '-DCMAKE_CUDA_ARCHITECTURES=90-real',
        '-DCMAKE_CUDA_COMPILER=/cuda/bin/nvcc',
        '-DCUDAToolkit_ROOT=/cuda',
      ]),
    );
  });

  it('leave CUDA out for the CPU alone', () => {
    const definitions = cmakeDefinitions({ cpuOnly: true, headers });
    expect(definitions).toContain('-DLLAMA_NATIVE_CUDA=OFF');
    expect(definitions.join(' ')).not.toMatch(/CMAKE_CUDA|undefined/);
  });
});

describe('What travels', () => {
  it('is the package without what only other systems, people and the command line read', () => {
    const needed = ['package.json', 'dist/index.js', 'dist/build/toolchain.js', 'binding/addon.cpp'];
    const unneeded = [
      'prebuilds/linux-x64/llama-native.node',
      'dist/index.d.ts',
      'dist/cli/index.js',
      'vendor/llama.cpp/ggml/src/ggml-metal/ggml-metal.cpp',
      'README.md',
    ];
    const paths = listTravelling([...needed, ...unneeded]);
    expect(paths).toEqual(expect.arrayContaining([...needed, 'scripts/gpu-check', 'vendor/llama.cpp/tools']));
    for (const path of unneeded) expect(paths).not.toContain(path);
  });

  it('leaves out pictures and the web page, but not what CMake reads beside them', () => {
    const tools = 'vendor/llama.cpp/tools';
    expect(isNeeded(`${tools}/mtmd/test-1.jpeg`)).toBe(false);
    expect(isNeeded(`${tools}/ui/src`)).toBe(false);
    expect(isNeeded(`${tools}/ui/CMakeLists.txt`)).toBe(true);
    expect(isNeeded(`${tools}/llama-bench/llama-bench.cpp`)).toBe(true);
  });
});

describe('A stream cut into parts', () => {
  it('fills each part but the last, and joined gives back what was written', () => {
    const content = Buffer.from(Array.from({ length: 25 }, (_, index) => index));
    const writer = new SplitWriter(join(directory, 'archive'), 10);
    for (const piece of [content.subarray(0, 3), content.subarray(3, 24), content.subarray(24)]) {
      writer.write(piece);
    }
    expect(writer.close()).toBe(createHash('sha256').update(content).digest('hex'));
    const parts = writer.paths.map((path) => readFileSync(path));
    expect(writer.paths.map((path) => path.slice(-3))).toEqual(['.00', '.01', '.02']);
    expect(parts.map((part) => part.length)).toEqual([10, 10, 5]);
    expect(Buffer.concat(parts)).toEqual(content);
  });

  it.skipIf(process.platform === 'win32')('is not unpacked when a part was damaged on the way', () => {
    copyFileSync(join(scripts, 'unpack.sh'), join(directory, 'unpack.sh'));
    const writer = new SplitWriter(join(directory, 'llama-native-gpu-check.tar.xz'), 4);
    writer.write(Buffer.from('abcdefgh'));
    const [, second = ''] = writer.paths;
    writeFileSync(join(directory, 'llama-native-gpu-check.tar.xz.sha256'), `${writer.close()}  name\n`);
    writeFileSync(second, 'efgX');
    const unpack = spawnSync('sh', [join(directory, 'unpack.sh'), join(directory, 'target')], {
      encoding: 'utf8',
    });
    expect(unpack.status).toBe(1);
    expect(unpack.stderr).toContain('expected the parts to have SHA-256');
  });
});

describe.skipIf(process.platform === 'win32')('gpu-check', () => {
  function start(...programArguments: string[]) {
    const command = [join(scripts, 'gpu-check.sh'), ...programArguments];
    return spawnSync('sh', command, { encoding: 'utf8', cwd: directory });
  }

  it('says what it expects when the command is not known', () => {
    const { status, stderr } = start('walk', '--node', process.execPath);
    expect(status).toBe(1);
    expect(stderr).toContain('Unknown command "walk"');
    expect(stderr).toContain('Usage: gpu-check.sh build|run');
  });

  it('names the Node.js program that it misses', () => {
    const { status, stderr } = start('build', '--node', join(directory, 'missing'));
    expect(status).toBe(1);
    expect(stderr).toContain(`expected a Node.js program at '${join(directory, 'missing')}'`);
  });

  it('names the compiled library that it misses', () => {
    const { status, stderr } = start('build', '--node', process.execPath, '--dist', directory);
    expect(status).toBe(1);
    expect(stderr).toContain(`Expected a file at ${join(directory, 'index.js')}`);
  });
});

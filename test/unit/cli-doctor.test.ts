import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import picocolors from 'picocolors';
import { afterEach, describe, expect, it } from 'vitest';
import { renderChecks } from '../../lib/cli/commands/doctor.js';
import { describeVariant } from '../../lib/cli/doctor/addon.js';
import { checkMemory, checkNode, isSupportedNodeVersion } from '../../lib/cli/doctor/machine.js';
import type { Library } from '../../lib/cli/library.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { createError } from '../../lib/errors.js';
import { fetchByEnvironment } from '../../lib/hub/proxy.js';
import { resolveEndpoint } from '../../lib/hub/settings.js';
import { createTestContext } from '../helpers/cli-context.js';

const unreachable = 'http://127.0.0.1:9';

/** A machine on which all is well, except for a hub that does not answer. */
const healthy: Partial<Library> = {
  inspectHost: () => ({
    platform: 'linux',
    arch: 'x64',
    libc: 'glibc',
    libcVersion: '2.36',
    nodeVersion: 'v22.10.0',
  }),
  describeHost: () => 'linux x64',
  getSystemInfo: async () => ({
    llamaCppVersion: 'v1.2.3',
    addonPath: '/package/prebuilds/linux-x64/llama_native.node',
    cpuFeatures: 'AVX2 FMA',
    supportsGpuOffload: false,
  }),
  getDevices: async () => [
    {
      name: 'CPU',
      description: 'A processor',
      kind: 'cpu',
      freeBytes: 8e9,
      totalBytes: 16e9,
      backend: 'CPU',
    },
  ],
  currentPlace: () => ({ platform: 'linux', environment: {}, isRoot: false }),
  inspectToolchain: () => ({
    cmakeVersion: '3.25.1',
    compiler: '/usr/bin/c++',
    hasNinja: true,
    hasCompilerCache: false,
  }),
  resolveCacheDirectory: () => join(tmpdir(), 'llama-native-none', 'hub'),
  listCachedModels: async () => [],
  resolveEndpoint: () => unreachable,
  fetchByEnvironment,
};

async function doctor(library: Partial<Library>, ...programArguments: string[]) {
  const context = createTestContext({ library: { ...healthy, ...library } });
  const exitCode = await runCommandLine(['doctor', ...programArguments], context);
  return { exitCode, output: context.outputStream.text };
}

describe('doctor', () => {
  it('ends with 0 where text can be generated, although the hub does not answer', async () => {
    const { exitCode, output } = await doctor({});
    expect(exitCode).toBe(0);
    expect(output).toContain('This machine can generate text.');
    expect(output).toMatch(/✓ Addon .*llama_native\.node \(prebuilt\), llama\.cpp v1\.2\.3/);
    expect(output).toMatch(/✓ Devices .*CPU: A processor \(cpu, CPU, 8\.0 GB of 16\.0 GB free\)/);
    expect(output).toMatch(/✓ Compilers .*\/usr\/bin\/c\+\+, CMake 3\.25\.1, Ninja/);
    expect(output).toMatch(/! Hub .*does not answer: .*\n.*→ check the network/);
  });

  it('ends with 1 and a remedy where the addon does not load', async () => {
    const getSystemInfo = async () => {
      throw createError('ADDON_NOT_FOUND', 'No compiled addon.\nLooked in /x');
    };
    const { exitCode, output } = await doctor({ getSystemInfo });
    expect(exitCode).toBe(1);
    expect(output).toMatch(/✗ Addon +No compiled addon\.\n +Looked in \/x\n +→ llama-native build/);
    expect(output).toContain('cannot generate text yet');
  });

  it('takes missing compilers as a warning while the addon works, and as a failure otherwise', async () => {
    const inspectToolchain = () => {
      throw createError('TOOL_MISSING', 'Cannot compile here: no CMake.\n  hint', {
        details: { instructions: 'sudo apt-get install -y cmake' },
      });
    };
    const working = await doctor({ inspectToolchain });
    expect(working.exitCode).toBe(0);
    expect(working.output).toMatch(
      /! Compilers +Cannot compile here: no CMake\.\n +→ sudo apt-get install -y cmake/,
    );
    const getSystemInfo = async () => {
      throw createError('ADDON_NOT_FOUND', 'No compiled addon.');
    };
    expect((await doctor({ inspectToolchain, getSystemInfo })).output).toContain('✗ Compilers');
  });

  it('fails where no device is found', async () => {
    expect((await doctor({ getDevices: async () => [] })).exitCode).toBe(1);
  });

  it('tells a wrong hub address instead of stopping at it', async () => {
    const { exitCode, output } = await doctor({ resolveEndpoint: () => resolveEndpoint('nonsense') });
    expect(exitCode).toBe(0);
    expect(output).toMatch(/! Hub .*'nonsense'/);
  });

  it('prints the same as JSON', async () => {
    const parsed: unknown = JSON.parse((await doctor({}, '--json')).output);
    expect(parsed).toMatchObject({ ready: true });
    expect(parsed).toHaveProperty(
      'checks',
      expect.arrayContaining([
        expect.objectContaining({ name: 'CPU features', status: 'ok', facts: { cpuFeatures: 'AVX2 FMA' } }),
      ]),
    );
  });
});

describe('asking the hub', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** A hub that answers with a status. */
  async function hub(status: number): Promise<string> {
    const listening = createServer((_request, response) => response.writeHead(status).end());
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const address = listening.address();
    return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
  }

  it.each([
    [200, '✓ Hub'],
    [403, '✓ Hub'],
    [503, '! Hub'],
  ])('takes status %d as %s', async (status, text) => {
    const address = await hub(status);
    expect((await doctor({ resolveEndpoint: () => address })).output).toContain(text);
  });
});

describe('checks of the machine', () => {
  it.each([
    ['v20.16.0', false],
    ['v20.17.0', true],
    ['v21.7.0', false],
    ['v22.8.0', false],
    ['v22.9.0', true],
    ['v24.1.0', true],
  ])('judges Node.js %s as %s', (version, isSupported) => {
    expect(isSupportedNodeVersion(version)).toBe(isSupported);
    expect(checkNode(version).status).toBe(isSupported ? 'ok' : 'failed');
  });

  it('warns when memory is scarce', () => {
    expect(checkMemory(100_000_000, 8e9)).toMatchObject({ status: 'warning', remedy: expect.any(String) });
    expect(checkMemory(4e9, 8e9).status).toBe('ok');
  });

  it.each([
    ['/p/prebuilds/linux-x64/llama_native.node', 'prebuilt'],
    ['C:\\p\\prebuilds\\win32-x64\\llama_native.node', 'prebuilt'],
    ['/p/build/Release/llama_native.node', 'compiled here'],
    ['/p/build-cuda/Release/llama_native.node', 'compiled here with CUDA'],
    ['/elsewhere/llama_native.node', 'from LLAMA_NATIVE_ADDON'],
  ])('takes %s as %s', (path, variant) => {
    expect(describeVariant(path)).toBe(variant);
  });

  it('puts findings of several lines below each other', () => {
    const text = renderChecks(
      [{ name: 'Devices', status: 'failed', detail: 'a\nb', remedy: 'c\nd' }],
      picocolors.createColors(false),
    );
    expect(text).toBe('✗ Devices  a\n           b\n           → c\n           d\n');
  });
});

describe('doctor, of the templates of the models on this machine,', () => {
  const model = (source: string, file = 'a.gguf') =>
    ({
      source,
      file,
      path: source,
      sizeBytes: 1,
      repository: 'a/b',
      revision: '',
      lastModified: new Date(0),
    }) as const;
  const tokens = { covered: [], uncovered: [] };
  const library: Partial<Library> = {
    readGgufMetadata: async (path) => {
      if (path === 'hf:a/damaged') throw createError('MODEL_INVALID', 'damaged');
      return { chatTemplate: path === 'hf:a/without' ? undefined : path } as never;
    },
    findSpecialTokens: ({ chatTemplate }) =>
      ({ ...tokens, uncoveredInTemplate: chatTemplate === 'hf:a/open' ? ['\u0001'] : [] }) as never,
  };

  it('names those whose marks users can write', async () => {
    const models = ['hf:a/open', 'hf:a/closed', 'hf:a/damaged', 'hf:a/without'].map((source) =>
      model(source),
    );
    const { exitCode, output } = await doctor({ ...library, listCachedModels: async () => models }, '--json');
    const { checks } = JSON.parse(output) as { checks: { name: string; status: string; detail: string }[] };
    const found = checks.find(({ name }) => name === 'Templates');
    expect(found).toMatchObject({ status: 'warning', detail: expect.stringContaining('1 of 2 models') });
    expect(found?.detail).toContain('hf:a/open');
    expect(exitCode).toBe(0);
  });

  it('says that all is well, and nothing where there are none', async () => {
    const parts = [
      model('hf:a/closed', 'x-00001-of-00002.gguf'),
      model('hf:a/open', 'x-00002-of-00002.gguf'),
    ];
    const well = await doctor({ ...library, listCachedModels: async () => parts });
    expect(well.output).toContain('users cannot write the marks of the model here');
    expect((await doctor(library)).output).not.toContain('Templates');
  });
});

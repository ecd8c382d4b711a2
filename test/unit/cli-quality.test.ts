import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Library } from '../../lib/cli/library.js';
import { runCommandLine } from '../../lib/cli/program.js';
import type { Comparison, ImatrixResult, PerplexityResult } from '../../lib/index.js';
import { createTestContext, withoutControlSequences } from '../helpers/cli-context.js';

const estimate = (value: number) => ({ value, standardError: value / 100 });

const perplexityResult: PerplexityResult = {
  perplexity: estimate(12.5),
  comparison: {
    perplexity: estimate(12),
    logPerplexityRatio: estimate(0.04),
    klDivergence: estimate(0.02),
    klDivergenceSpread: { median: 0.01, percentile90: 0.05, percentile99: 0.2, maximum: 1.5 },
    topAgreement: estimate(0.9),
    probabilityChange: estimate(0.03),
  },
  contextSize: 512,
  chunks: 3,
  scoredTokens: 765,
  evaluatedTokens: 1536,
  tokensPerSecond: 250,
  totalMs: 6144,
};
const imatrixResult: ImatrixResult = {
  path: '/tmp/m.imatrix.gguf',
  evaluatedChunks: 2,
  chunks: 12,
  tensors: 210,
  unusedExperts: [{ tensor: 'blk.0.ffn_gate_exps.weight', unused: 3, experts: 64 }],
  perplexity: estimate(12.5),
  tokensPerSecond: 250,
  totalMs: 6144,
};
const comparisonResult: Comparison = {
  files: [
    {
      name: 'F16',
      path: '/m.gguf',
      isReference: true,
      sizeBytes: 2.7e8,
      bitsPerWeight: 16,
      memoryBytes: 3.4e8,
      fits: true,
      prefillTokensPerSecond: 300,
      decodeTokensPerSecond: 30,
      perplexity: estimate(12),
      perplexityLoss: estimate(0),
      klDivergence: estimate(0),
      topAgreement: estimate(1),
      isPareto: true,
    },
  ],
  recommended: 'F16',
  advice: 'Use F16.',
  contextSize: 512,
  chunks: 3,
  rounds: 3,
  machineBytes: 8e9,
  plotPath: '/tmp/plot.svg',
};

let textPath: string;
beforeAll(async () => {
  textPath = join(await mkdtemp(join(tmpdir(), 'llama-native-test-')), '文本.txt');
  await writeFile(textPath, 'A text. 一段文字。');
});

async function run(programArguments: string[], isTerminal = false) {
  const calls: unknown[] = [];
  const remember = (given: unknown[]) => {
    const options = given.at(-1) as { onProgress?: unknown; signal?: unknown };
    const { onProgress: _, signal: __, ...others } = options;
    calls.push([...given.slice(0, -1), others]);
  };
  const model = { path: '/m.gguf', close: async () => {} };
  const library: Partial<Library> = {
    loadModel: (async () => model) as never,
    resolveModel: async () => '/m.gguf',
    listCachedModels: async () => [],
    perplexity: async (...given) => {
      remember(given);
      given[2]?.onProgress?.({
        completed: 1,
        total: 3,
        perplexity: estimate(13),
        klDivergence: estimate(0.1),
        tokensPerSecond: 200,
      });
      return perplexityResult;
    },
    imatrix: async (...given) => {
      remember(given);
      return imatrixResult;
    },
    compare: async (...given) => {
      remember(given);
      return comparisonResult;
    },
  };
  const context = createTestContext({ library, isTerminal });
  const exitCode = await runCommandLine(programArguments, context);
  const notes = withoutControlSequences(context.notesStream.text);
  return { exitCode, output: context.outputStream.text, notes, calls };
}

describe('perplexity', () => {
  test('prints the figures and passes the options on', async () => {
    const { output, notes, calls, exitCode } = await run([
      ...['perplexity', '/m.gguf', '--text', textPath, '--chunk-size', '512'],
      ...['--chunks', '3', '--reference', 'f16.logits'],
    ]);
    expect(exitCode).toBe(0);
    const options = { contextSize: 512, chunks: 3, reference: 'f16.logits' };
    expect(calls).toEqual([[expect.anything(), 'A text. 一段文字。', options]]);
    expect(output).toContain('12.5000 ± 0.1250');
    expect(output).toContain('90.00 ± 0.90 %');
    expect(notes).toContain('3 chunks of 512 tokens, 765 predictions');
  });

  test('shows how far it is on a terminal', async () => {
    const { notes } = await run(['perplexity', '/m.gguf', '--text', textPath], true);
    expect(notes).toContain('1/3 · perplexity 13.00 ± 0.13 · KL 0.1000 · 200 tokens/s');
  });

  test('prints JSON', async () => {
    const { output } = await run(['perplexity', '/m.gguf', '--text', textPath, '--json']);
    expect(JSON.parse(output)).toEqual({ model: '/m.gguf', ...perplexityResult });
  });

  test('wants a text', async () => {
    const { exitCode, notes } = await run(['perplexity', '/m.gguf']);
    expect(exitCode).toBe(2);
    expect(notes).toContain('--text');
    expect((await run(['perplexity', '/m.gguf', '--text', `${textPath}.none`])).exitCode).toBe(2);
  });
});

describe('imatrix', () => {
  test('prints the path, and which experts were never used', async () => {
    const { output, notes, calls } = await run([
      ...['imatrix', '/m.gguf', '--text', textPath, '--output', 'm.imatrix.gguf'],
      ...['--from', 'a.gguf', '--from', 'b.gguf', '--save-every', '0'],
    ]);
    const options = { output: 'm.imatrix.gguf', from: ['a.gguf', 'b.gguf'], saveEvery: 0, dataset: textPath };
    expect(calls).toEqual([[expect.anything(), expect.any(String), options]]);
    expect(output).toBe('/tmp/m.imatrix.gguf\n');
    expect(notes).toContain('210 tensors, 12 chunks; 2 of them now');
    expect(notes).toContain('3 experts');
  });

  test('wants an output', async () => {
    expect((await run(['imatrix', '/m.gguf', '--text', textPath])).exitCode).toBe(2);
  });
});

describe('compare', () => {
  test('prints a table, the advice and the path of the picture', async () => {
    const { output, calls } = await run([
      ...['compare', '/m.gguf', '--types', 'Q4_K_M,Q8_0', '--text', textPath],
      ...['--tolerance', '1', '--output', 'plot.svg'],
    ]);
    const options = {
      types: ['Q4_K_M', 'Q8_0'],
      tolerance: 0.01,
      output: 'plot.svg',
      text: 'A text. 一段文字。',
    };
    expect(calls).toEqual([['/m.gguf', options]]);
    expect(output).toMatch(/→ {2}F16 \(reference\) +270\.0 MB +340\.0 MB +300\.0 +30\.0 +12\.000 ± 0\.120/);
    expect(output).toContain('Use F16.\n/tmp/plot.svg\n');
  });

  test('prints JSON', async () => {
    const { output } = await run(['compare', '/m.gguf', '--types', 'Q8_0', '--text', textPath, '--json']);
    expect(JSON.parse(output)).toEqual(comparisonResult);
  });
});

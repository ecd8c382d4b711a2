import { describe, expect, it } from 'vitest';
import type { Library } from '../../lib/cli/library.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { describeConversion } from '../../lib/cli/terminal/convert-display.js';
import { createError } from '../../lib/errors.js';
import { createTestContext } from '../helpers/cli-context.js';

const result = {
  path: '模型.gguf',
  sizeBytes: 269_000_000,
  architecture: 'llama',
  type: 'f16',
  tensorCount: 272,
  parameterCount: 134_515_008,
} as const;

async function run(programArguments: string[], convert: Library['convert']) {
  const context = createTestContext({ library: { convert } });
  const exitCode = await runCommandLine(['convert', ...programArguments], context);
  return { exitCode, output: context.outputStream.text, notes: context.notesStream.text };
}

describe('convert', () => {
  it('passes source, output and options on, and prints where the file is', async () => {
    const calls: unknown[] = [];
    const { exitCode, output } = await run(
      ['hf:owner/repo', 'out.gguf', '--type', 'q8_0', '--overwrite', '--pre-tokenizer', 'qwen2'],
      async (source, target, options) => {
        calls.push([source, target, options?.type, options?.overwrite, options?.preTokenizer]);
        return result;
      },
    );
    expect(calls).toEqual([['hf:owner/repo', 'out.gguf', 'q8_0', true, 'qwen2']]);
    expect(exitCode).toBe(0);
    expect(output).toBe('模型.gguf llama, f16, 272 tensors, 269.0 MB\n');
  });

  it('prints the result as JSON', async () => {
    const { output } = await run(['folder', '--json'], async () => result);
    expect(JSON.parse(output)).toEqual(result);
  });

  it('tells what became of the layers of a GPTQ checkpoint', async () => {
    const layer = { name: 'a', type: 'Q4_1', keepsNumbers: true, relativeError: 0.0005, bitsPerWeight: 5 };
    const scattered = { ...layer, name: 'b', type: 'Q6_K', keepsNumbers: false, relativeError: 0.0161 };
    const { output, notes } = await run(
      ['folder', '--requantize', 'q6_k'],
      async (_source, _output, options) => {
        expect(options?.requantize).toBe('q6_k');
        return { ...result, quantizedLayers: [layer, scattered] };
      },
    );
    expect(output).toContain('模型.gguf');
    expect(notes).toContain('1 of 2 GPTQ layers keep their numbers; an error of 1.610 % at most.');
  });

  it('refuses a type that is none', async () => {
    const { exitCode, notes } = await run(['folder', '--type', 'q4_k_m'], async () => result);
    expect(exitCode).toBe(2);
    expect(notes).toContain('f32, f16, bf16, q8_0');
  });

  it('reports a checkpoint that cannot be converted', async () => {
    const { exitCode, notes } = await run(['folder'], async () => {
      throw createError('CHECKPOINT_UNSUPPORTED', 'folder cannot be converted: it is a teapot.');
    });
    expect(exitCode).toBe(1);
    expect(notes).toContain('it is a teapot');
  });

  it('tells which tensor is written', () => {
    const text = describeConversion({
      stage: 'convert',
      tensor: 'blk.0.attn_q.weight',
      tensorNumber: 12,
      tensorCount: 272,
      writtenBytes: 12_000_000,
      totalBytes: 269_000_000,
    });
    expect(text).toBe('12 of 272 · 12.0 MB of 269.0 MB · blk.0.attn_q.weight');
  });
});

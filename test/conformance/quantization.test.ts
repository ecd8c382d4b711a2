/** What `quantize` writes is, byte for byte, what `llama-quantize` of the same build writes. */
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../lib/gguf/index.js';
import { writeGguf } from '../../lib/gguf/write.js';
import { type QuantizeOptions, quantizationTypes, quantize } from '../../lib/index.js';
import { quantizeWithReference } from '../helpers/llama-tools.js';
import { testModelPath } from '../helpers/model.js';
import {
  inventImportance,
  quantizableMetadata,
  quantizableTensors,
  writeImatrix,
  writeOldImatrix,
  writeQuantizableModel,
  writeSplitModel,
} from '../helpers/quantize-models.js';

let directory: string;
const at = (name: string) => join(directory, name);
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-quantize-'));
  await writeQuantizableModel(at('model.gguf'));
  await writeQuantizableModel(at('four.gguf'), 4, 4);
  await writeQuantizableModel(at('slim.gguf'), 2, 4);
  await writeImatrix(at('imatrix.gguf'), inventImportance(2));
  await writeImatrix(at('imatrix-four.gguf'), inventImportance(4));
  await writeOldImatrix(at('imatrix.dat'), inventImportance(2));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Comparison {
  readonly input?: string;
  readonly options: QuantizeOptions;
  readonly flags?: readonly string[];
}

/** Quantizes with both, and compares whole files, metadata included. */
async function expectEqual({ input = 'model.gguf', options, flags = [] }: Comparison): Promise<void> {
  await quantize(at(input), at('ours.gguf'), { overwrite: true, ...options });
  await quantizeWithReference(directory, [...flags, input, 'theirs.gguf', options.type, '2']);
  const [ours, theirs] = await Promise.all([readFile(at('ours.gguf')), readFile(at('theirs.gguf'))]);
  expect(ours.equals(theirs)).toBe(true);
}

describe('quantize', () => {
  const withoutImatrix = quantizationTypes.filter(({ needsImatrix }) => !needsImatrix);
  it.each(withoutImatrix)('writes the bytes of llama-quantize: $name', async ({ name }) => {
    await expectEqual({ options: { type: name } });
  });

  // Those below three bits are left out here: each run of the tool makes tables for them that take seconds.
  const withImatrix = quantizationTypes.filter(({ name }) => /^(Q[2-5]_|IQ[34]_[NSM]|IQ4)/.test(name));
  it.each(withImatrix)('writes them with an importance matrix: $name', async ({ name }) => {
    await expectEqual({
      input: 'slim.gguf',
      options: { type: name, imatrix: at('imatrix.gguf') },
      flags: ['--imatrix', 'imatrix.gguf'],
    });
  });

  it('writes them with all types that need an importance matrix in one file', async () => {
    const tensorTypes = {
      attn_q: 'IQ2_XS',
      attn_k: 'IQ2_S',
      attn_v: 'IQ3_XXS',
      ffn_gate: 'IQ1_S',
      ffn_down: 'IQ1_M',
    } as const;
    const types = Object.entries(tensorTypes).flatMap(([name, type]) => ['--tensor-type', `${name}=${type}`]);
    await expectEqual({
      input: 'slim.gguf',
      options: { type: 'IQ2_XXS', imatrix: at('imatrix.gguf'), tensorTypes },
      flags: ['--imatrix', 'imatrix.gguf', ...types],
    });
  }, 240_000);

  it('chooses the types of llama-quantize where that takes long', async () => {
    for (const { name } of quantizationTypes.filter(({ needsImatrix }) => needsImatrix)) {
      const imatrix = at('imatrix.gguf');
      const { tensors } = await quantize(at('model.gguf'), undefined, { type: name, imatrix, dryRun: true });
      const log = await quantizeWithReference(directory, [
        ...['--dry-run', '--imatrix', 'imatrix.gguf', 'model.gguf', name],
      ]);
      const changed = [...log.matchAll(/^\[.*\] (\S+) +- .* \((\w+)\)$/gm)];
      const expected = changed.map(([, tensor, type]) => [tensor, type?.toUpperCase()]);
      expect(expected.length).toBe(16);
      const ours = tensors.filter(({ type }) => type !== 'F32');
      expect(ours.map((tensor) => [tensor.name, tensor.type])).toEqual(expected);
    }
  });

  it('knows types that need an importance matrix from those that do not', async () => {
    for (const { name, needsImatrix } of quantizationTypes) {
      const plan = await quantize(at('model.gguf'), undefined, { type: name, dryRun: true });
      expect([name, plan.needsImatrix]).toEqual([name, needsImatrix]);
    }
    expect(quantizationTypes).toHaveLength(36);
  });

  it('reads importance matrices of the old format', async () => {
    await expectEqual({
      input: 'slim.gguf',
      options: { type: 'IQ3_S', imatrix: at('imatrix.dat') },
      flags: ['--imatrix', 'imatrix.dat'],
    });
  });

  it('gives single tensors the types that are asked for', async () => {
    await expectEqual({
      options: { type: 'Q4_K_M', tensorTypes: { 'attn_(q|k)': 'Q8_0', 'blk\\.1\\.ffn_.*': 'IQ4_XS' } },
      flags: ['--tensor-type', 'attn_(q|k)=q8_0', '--tensor-type', 'blk\\.1\\.ffn_.*=iq4_xs'],
    });
    await expectEqual({
      options: {
        type: 'Q4_K_M',
        outputTensorType: 'Q8_0',
        tokenEmbeddingType: 'Q5_1',
        tensorTypes: [{ tensor: 'blk.0.attn_v.weight', type: 'F16' }],
      },
      flags: [
        ...['--output-tensor-type', 'q8_0', '--token-embedding-type', 'q5_1'],
        ...['--tensor-type', '^blk.0.attn_v.weight$=f16'],
      ],
    });
  });

  it('leaves out layers, also with an importance matrix', async () => {
    await expectEqual({
      input: 'four.gguf',
      options: { type: 'Q4_K_M', pruneLayers: [2, 1] },
      flags: ['--prune-layers', '1,2'],
    });
    await expectEqual({
      input: 'four.gguf',
      options: { type: 'IQ3_S', pruneLayers: [0, 2], imatrix: at('imatrix-four.gguf') },
      flags: ['--prune-layers', '0,2', '--imatrix', 'imatrix-four.gguf'],
    });
  });

  it('keeps to one type, or leaves the output tensor, where that is asked for', async () => {
    await expectEqual({ options: { type: 'Q4_K_M', pure: true }, flags: ['--pure'] });
    await expectEqual({
      options: { type: 'Q4_K_M', leaveOutputTensor: true },
      flags: ['--leave-output-tensor'],
    });
  });

  it('writes the same bytes with any number of threads', async () => {
    await expectEqual({ options: { type: 'Q4_K_M', threads: 1 } });
    await expectEqual({ options: { type: 'Q4_K_M', threads: 7 } });
  });

  it('joins the files of a split model, or keeps them', async () => {
    await writeSplitModel(at('split'));
    const input = 'split-00001-of-00002.gguf';
    await expectEqual({ input, options: { type: 'Q4_K_M' } });
    const { path, paths, bytesAfter } = await quantize(at(input), at('parts.gguf'), {
      type: 'Q4_K_M',
      keepSplit: true,
    });
    await quantizeWithReference(directory, ['--keep-split', input, 'their-parts.gguf', 'Q4_K_M', '2']);
    expect(path).toBe(at('parts-00001-of-00002.gguf'));
    expect(paths).toEqual([path, at('parts-00002-of-00002.gguf')]);
    let bytes = 0;
    for (const number of [1, 2]) {
      const ours = await readFile(at(`parts-0000${number}-of-00002.gguf`));
      const theirs = await readFile(at(`their-parts-0000${number}-of-00002.gguf`));
      expect(ours.equals(theirs)).toBe(true);
      bytes += ours.length;
    }
    expect(bytesAfter).toBe(bytes);
  });

  it('aligns its output as it says there, whatever the input is aligned to', async () => {
    const metadata = {
      ...quantizableMetadata(2),
      'general.alignment': { type: 'uint32', value: 256 },
    } as const;
    await writeGguf(at('aligned.gguf'), { metadata, tensors: quantizableTensors(2) });
    await quantize(at('aligned.gguf'), at('aligned-q8.gguf'), { type: 'Q8_0' });
    await quantize(at('model.gguf'), at('plain-q8.gguf'), { type: 'Q8_0' });
    const [aligned, plain] = await Promise.all(
      ['aligned-q8.gguf', 'plain-q8.gguf'].map((name) => readGgufHeader(at(name))),
    );
    expect(aligned?.alignment).toBe(32);
    expect(aligned?.tensors).toEqual(plain?.tensors);
  });

  it('requantizes the test model to F16, and that to Q4_K_M', async () => {
    await copyFile(await testModelPath(), at('small.gguf'));
    await expectEqual({
      input: 'small.gguf',
      options: { type: 'F16', allowRequantize: true },
      flags: ['--allow-requantize'],
    });
    await copyFile(at('ours.gguf'), at('f16.gguf'));
    await expectEqual({ input: 'f16.gguf', options: { type: 'Q4_K_M' } });
  });
});

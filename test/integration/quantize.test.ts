import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeGguf } from '../../lib/gguf/write.js';
import { getNativeLog, type QuantizeOptions, type QuantizeProgress, quantize } from '../../lib/index.js';
import { getAddon } from '../../lib/native/addon.js';
import { runShell } from '../helpers/cli-process.js';
import { filledTensor, rejection } from '../helpers/gguf-files.js';
import { Random } from '../helpers/gguf-random.js';
import {
  inventImportance,
  quantizableMetadata,
  quantizableTensors,
  writeImatrix,
  writeQuantizableModel,
  writeSplitModel,
} from '../helpers/quantize-models.js';
import { runProgram } from '../helpers/run-program.js';

let directory: string;
let model: string;
let large: string;
const at = (name: string) => join(directory, name);
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-native-量化-'));
  model = await writeQuantizableModel(at('model.gguf'));
  large = await writeQuantizableModel(at('large.gguf'), 24);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let output: string;
beforeEach(async () => {
  await rm(at('out'), { recursive: true, force: true });
  await mkdir(at('out'));
  output = at('out/输出.gguf');
});
const written = () => readdir(at('out'));

describe('quantize', () => {
  it('tells what it does, and what it made', async () => {
    const progress: QuantizeProgress[] = [];
    const result = await quantize(model, output, {
      type: 'Q4_K_M',
      onProgress: (step) => progress.push(step),
    });
    expect(result).toMatchObject({ path: output, type: 'Q4_K_M', fallbackCount: 0, needsImatrix: false });
    expect(result.bytesAfter).toBe((await readFile(output)).length);
    expect(result.bytesBefore).toBe((await readFile(model)).length);
    expect(result.bitsPerWeight).toBeGreaterThan(4.5);
    expect(result.bitsPerWeight).toBeLessThan(6.6);
    expect(result.types.map(({ type }) => type).sort()).toEqual(['F32', 'Q4_K', 'Q6_K']);
    const names = new Set(progress.map(({ tensor }) => tensor));
    expect([...names]).toEqual(result.tensors.map(({ name }) => name));
    const fractions = progress.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(progress.at(-1)).toMatchObject({ index: 21, count: 21 });
  });

  it('plans without writing', async () => {
    const plan = await quantize(model, output, { type: 'Q4_K_M', dryRun: true });
    const made = await quantize(model, output, { type: 'Q4_K_M' });
    expect(plan).toMatchObject({ path: undefined, paths: [], tensors: made.tensors });
    expect(Math.abs(plan.bytesAfter - made.bytesAfter)).toBeLessThan(4096);
    expect(await written()).toEqual(['输出.gguf']);
  });

  it('stops at any moment within a fraction of a second, and leaves nothing', async () => {
    const random = new Random(8);
    for (let round = 0; round < 12; round++) {
      const controller = new AbortController();
      const reason = new Error('enough');
      let asked = 0;
      const timer = setTimeout(() => {
        asked = performance.now();
        controller.abort(reason);
      }, random.next() * 150);
      const type = random.pick(['Q4_K_M', 'Q5_K_M', 'IQ4_XS', 'IQ3_S', 'F16'] as const);
      const running = quantize(large, output, { type, signal: controller.signal, threads: 1 + (round % 3) });
      const error = await running.catch((thrown: unknown) => thrown);
      clearTimeout(timer);
      if (!(error instanceof Error)) continue; // it was done before
      expect(error).toMatchObject({ code: 'ABORTED', cause: reason });
      expect(performance.now() - asked).toBeLessThan(2000); // on a busy machine
      expect(await written()).toEqual([]);
    }
  });

  it('stops where the listener of progress throws, with its error', async () => {
    const mine = new Error('mine');
    const onProgress = () => {
      throw mine;
    };
    await expect(quantize(large, output, { type: 'Q8_0', onProgress })).rejects.toBe(mine);
    expect(await written()).toEqual([]);
  });

  it('works several times at once, and leaves the log to others', async () => {
    const before = await getNativeLog();
    const types = ['Q4_K_M', 'Q8_0', 'Q2_K', 'F16'] as const;
    const together = await Promise.all(
      types.map((type) => quantize(model, at(`out/${type}.gguf`), { type })),
    );
    expect(await getNativeLog()).toEqual(before);
    for (const { path, type } of together) {
      await quantize(model, output, { type, overwrite: true });
      expect((await readFile(output)).equals(await readFile(path ?? ''))).toBe(true);
    }
  });

  it('works in a process of its own, where it is cancelled as well', async () => {
    await quantize(model, output, { type: 'Q4_K_M' });
    await quantize(model, at('out/isolated.gguf'), { type: 'Q4_K_M', isolate: true });
    expect((await readFile(output)).equals(await readFile(at('out/isolated.gguf')))).toBe(true);
    const controller = new AbortController();
    const stopped = quantize(large, at('out/stopped.gguf'), {
      type: 'IQ3_S',
      isolate: true,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await rejection(stopped, 'ABORTED');
    expect((await written()).sort()).toEqual(['isolated.gguf', '输出.gguf']);
  });

  it('works in a worker thread, and ends with it', async () => {
    const program = `
      import { Worker } from 'node:worker_threads';
      const source = \`
        import { quantize } from 'llama-native';
        import { parentPort } from 'node:worker_threads';
        await quantize(process.env.MODEL, 'worker.gguf', { type: 'Q8_0' });
        parentPort.postMessage('done');
        await quantize(process.env.MODEL, 'worker2.gguf', { type: 'IQ3_S', onProgress: () => parentPort.postMessage('begun') });
      \`;
      await import('node:fs').then(({ writeFileSync }) => writeFileSync('worker.mjs', source));
      const worker = new Worker(new URL('./worker.mjs', import.meta.url));
      worker.on('message', async (message) => {
        console.log(message);
        if (message === 'begun') process.exit(await worker.terminate().then(() => 7));
      });
    `;
    const { exitCode, stdout, stderr } = await runProgram(program, large);
    expect([exitCode, stderr]).toEqual([7, '']);
    expect(stdout).toMatch(/^done\nbegun\n/);
  });

  it('says that the disk became full, and leaves nothing', async () => {
    const line = `ulimit -f 600; llama-native quantize '${large}' '${output}' Q8_0`;
    const { exitCode, notes } = await runShell(line);
    expect(notes).toContain('code: DISK_FULL');
    expect(exitCode).toBe(1);
    expect(await written()).toEqual([]);
  });

  it('leaves nothing under the final name when its process is killed, and the next one clears up', async () => {
    const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
    const child = spawn(process.execPath, [program, 'quantize', large, output, 'IQ3_S', '--threads', '1']);
    const ended = new Promise((resolve) => child.once('close', resolve));
    while ((await written()).length === 0) await delay(5);
    child.kill('SIGKILL');
    await ended;
    const left = await written();
    expect(left).toEqual([expect.stringMatching(/^\.输出\.gguf\..*\.partial$/)]);
    await quantize(model, output, { type: 'Q8_0' });
    expect(await written()).toEqual(['输出.gguf']);
  });

  it('replaces no file unasked, and never the one that it reads', async () => {
    await writeFile(output, 'precious');
    await rejection(quantize(model, output, { type: 'Q8_0' }), 'OUTPUT_EXISTS');
    expect(await readFile(output, 'utf8')).toBe('precious');
    const before = await readFile(model);
    await rejection(quantize(model, model, { type: 'Q8_0', overwrite: true }), 'INVALID_ARGUMENT');
    expect((await readFile(model)).equals(before)).toBe(true);
    await quantize(model, output, { type: 'Q8_0', overwrite: true });
    expect((await readFile(output)).subarray(0, 4).toString()).toBe('GGUF');
  });

  it('refuses damaged files before llama.cpp sees them', async () => {
    await copyFile(model, at('cut.gguf'));
    await truncate(at('cut.gguf'), 100_000);
    await rejection(quantize(at('cut.gguf'), output, { type: 'Q8_0' }), 'MODEL_INVALID');
    await writeFile(at('text.gguf'), 'no model');
    await rejection(quantize(at('text.gguf'), output, { type: 'Q8_0' }), 'MODEL_INVALID');
    await rejection(quantize(at('missing.gguf'), output, { type: 'Q8_0' }), 'MODEL_NOT_FOUND');
    expect(await written()).toEqual([]);
  });

  it('refuses numbers that are none, and names their tensor', async () => {
    const tensors = quantizableTensors(2);
    const bad = filledTensor('blk.0.ffn_up.weight', [256, 256], 'F32', 256 * 256 * 4);
    const data = () => new Uint8Array(256 * 256 * 4).fill(0xff);
    await writeGguf(at('nan.gguf'), {
      metadata: quantizableMetadata(2),
      tensors: tensors.map((tensor) => (tensor.name === bad.name ? { ...bad, data } : tensor)),
    });
    const error = await rejection(quantize(at('nan.gguf'), output, { type: 'Q8_0' }), 'MODEL_INVALID');
    expect(error.message).toContain('blk.0.ffn_up.weight');
    expect(await written()).toEqual([]);
  });

  it('turns a failed assertion of llama.cpp into an error', async () => {
    // Past the checks: type IQ2_XXS for the embeddings without an importance matrix is asserted.
    const addon = getAddon();
    const options = {
      ...{ fileType: 7, onlyCopy: false, threads: 2, allowRequantize: false, leaveOutputTensor: false },
      ...{ pure: false, keepSplit: false, tokenEmbeddingType: 16 },
      ...{ tensorTypes: [], pruneLayers: [], imatrix: [], metadata: [] },
    };
    const running = addon.quantize(model, output, options, addon.createCancelFlag(), () => {});
    await rejection(running, 'QUANTIZATION_FAILED');
  });

  describe('says what to change where', () => {
    const refusals: [string, QuantizeOptions, RegExp][] = [
      ['a type is unknown', { type: 'Q9' as 'Q8_0' }, /one of Q4_K_M, .* for type; received "Q9"/],
      ['an option is misspelt', { type: 'Q8_0', thread: 2 } as QuantizeOptions, /Unknown option thread/],
      ['a matrix is needed', { type: 'IQ2_XXS' }, /would become IQ2_XXS, which needs an importance matrix/],
      [
        'the embeddings would need one',
        { type: 'Q8_0', tokenEmbeddingType: 'IQ2_XXS' },
        /token_embd.weight would .*tokenEmbeddingType/,
      ],
      ['layers are missing', { type: 'Q8_0', pruneLayers: [2] }, /from 0 to 1 for pruneLayers; received 2/],
      ['no layer is left', { type: 'Q8_0', pruneLayers: [0, 1] }, /to leave some layers/],
      [
        'a tensor type is unknown',
        { type: 'Q8_0', tensorTypes: { attn: 'Q8_K' as 'Q8_0' } },
        /one of F32, .*received "Q8_K"/,
      ],
      ['a pattern is none', { type: 'Q8_0', tensorTypes: { '(': 'Q8_0' } }, /regular expressions/],
    ];
    it.each(refusals)('%s', async (_, options, message) => {
      const error = await rejection(quantize(model, output, options), 'INVALID_ARGUMENT');
      expect(error.message).toMatch(message);
      expect(await written()).toEqual([]);
    });

    it('the model is quantized already', async () => {
      await quantize(model, at('q8.gguf'), { type: 'Q8_0', overwrite: true });
      const error = await rejection(quantize(at('q8.gguf'), output, { type: 'Q4_0' }), 'INVALID_ARGUMENT');
      expect(error.message).toContain('allowRequantize');
      await quantize(at('q8.gguf'), output, { type: 'Q4_0', allowRequantize: true });
    });

    it('rows do not divide into blocks of a type that was named', async () => {
      const tensors = quantizableTensors(2).map((tensor) =>
        tensor.name === 'output.weight' ? filledTensor('output.weight', [96, 4], 'F32', 96 * 4 * 4) : tensor,
      );
      await writeGguf(at('narrow.gguf'), { metadata: quantizableMetadata(2), tensors });
      const running = quantize(at('narrow.gguf'), output, { type: 'Q8_0', outputTensorType: 'Q4_K' });
      expect((await rejection(running, 'INVALID_ARGUMENT')).message).toContain('rows of 96');
    });
  });

  describe('refuses an importance matrix', () => {
    const refused = async (imatrix: string, message: RegExp) => {
      const error = await rejection(quantize(model, output, { type: 'Q4_K_M', imatrix }), 'IMATRIX_INVALID');
      expect(error.message).toMatch(message);
      expect(await written()).toEqual([]);
    };

    it('of a model with other rows, other layers or other names', async () => {
      await refused(
        await writeImatrix(at('rows.gguf'), inventImportance(2, 512)),
        /512 values for .* need 256/,
      );
      await refused(await writeImatrix(at('layers.gguf'), inventImportance(3)), /has a layer 2/);
      const other = new Map([['v.blk.x', new Float32Array(4)]]);
      await refused(await writeImatrix(at('other.gguf'), other), /knows none of its tensors/);
    });

    it('that is a model, cut off, a text, or holds numbers that are none', async () => {
      await refused(model, /no tensors whose name ends in .in_sum2/);
      const whole = await readFile(await writeImatrix(at('whole.gguf'), inventImportance(2)));
      await writeFile(at('cut-imatrix.gguf'), whole.subarray(0, whole.length - 3000));
      await refused(at('cut-imatrix.gguf'), /past the end of the file/);
      await writeFile(at('text.dat'), 'no matrix at all');
      await refused(at('text.dat'), /neither a GGUF file nor/);
      const entries = inventImportance(2);
      entries.get('blk.0.attn_q.weight')?.fill(Number.NaN);
      await refused(await writeImatrix(at('nan-imatrix.gguf'), entries), /not finite/);
    });
  });

  it('refuses to write over one of the files that a split model is read from', async () => {
    const first = await writeSplitModel(at('split'));
    const running = quantize(first, at('split.gguf'), { type: 'Q8_0', keepSplit: true, overwrite: true });
    await rejection(running, 'INVALID_ARGUMENT');
  });
});

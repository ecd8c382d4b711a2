import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallCheckpoint } from '../helpers/checkpoint-families.js';
import { smallCheckpoint } from '../helpers/gptq-models.js';
import { type Failure, noDisk, runOnDisk } from '../helpers/mounted-disk.js';
import { writeQuantizableModel } from '../helpers/quantize-models.js';
import { writeTinyGenerator } from '../helpers/tiny-generator.js';

let directory: string;
let checkpoint: string;
let quantizable: string;
let generator: string;

// Inputs lie on another disk, where everything is read-only for the programs of these tests only by their promise.
beforeAll(async () => {
  if (noDisk !== undefined) return;
  directory = await mkdtemp(join(tmpdir(), 'llama-native-inputs-'));
  checkpoint = await writeSmallCheckpoint(directory, smallCheckpoint('Llama-2-7b-chat-hf'));
  quantizable = await writeQuantizableModel(join(directory, 'wide.gguf'), 30);
  generator = join(directory, 'generator.gguf');
  await writeTinyGenerator(generator);
});
afterAll(async () => {
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

/** Names and hashes of everything that the programs read. */
async function inputs(): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const hashes = files.sort().map(async (file) => {
    return `${file} ${createHash('sha256')
      .update(await readFile(file))
      .digest('hex')}`;
  });
  return Promise.all(hashes);
}

/** Runs a program beside a disk, and makes sure that it changed nothing of what it read. */
async function run<Result>(program: string): Promise<Result> {
  const before = await inputs();
  const given = { checkpoint, quantizable, generator };
  const result = await runOnDisk<Result>({ sizeBytes: 24_000_000, given }, program);
  expect(await inputs()).toEqual(before);
  return result;
}

interface Outcome {
  readonly full: Failure;
  readonly filesWhenFull: string[];
  /** Size of the file when there was room. */
  readonly sizeBytes: number;
}

function expectFigures({ full, filesWhenFull, sizeBytes }: Outcome): void {
  expect(full.code).toBe('DISK_FULL');
  expect(full.details.neededBytes).toBeGreaterThan(0.9 * sizeBytes);
  expect(full.details.neededBytes).toBeLessThanOrEqual(sizeBytes);
  // What was written of it is gone again.
  expect(full.details.freeBytes).toBeLessThan(sizeBytes);
  expect(full.message).toMatch(
    /became full while \S+ was written\. It takes .*B\. .* free there now\. Make room/,
  );
  expect(filesWhenFull).toEqual(['filler']);
}

// Nothing but Linux lets a test have a disk of its own, and there only some users.
describe.skipIf(noDisk)('a disk that becomes full', { timeout: 120_000 }, () => {
  it('during a conversion ends it with figures, and leaves nothing', async () => {
    const outcome = await run<Outcome>(`
      import { convert } from 'llama-native';
      const output = disk + '/out/模型.gguf';
      const full = await failureOf(convert(given.checkpoint, output, { onProgress: () => existsSync(filler) || fillDisk() }));
      const filesWhenFull = filesOn();
      makeRoom();
      const { sizeBytes } = await convert(given.checkpoint, output);
      report({ full, filesWhenFull, sizeBytes });
    `);
    expectFigures(outcome);
  });

  it('during the conversion of a checkpoint that is loaded tells of the cache as well, and the next call converts', async () => {
    const outcome = await run<Outcome & { text: string }>(`
      import { loadModel } from 'llama-native';
      const cacheDirectory = disk + '/cache';
      const onProgress = ({ stage }) => stage === 'convert' && (existsSync(filler) || fillDisk());
      const options = { cacheDirectory, contextSize: 64, threads: 1 };
      const full = await failureOf(loadModel(given.checkpoint, { ...options, onProgress }));
      const filesWhenFull = filesOn();
      makeRoom();
      const model = await loadModel(given.checkpoint, options);
      const { text } = await model.generate('the', { maxTokens: 4 }).result;
      await model.close();
      report({ full, filesWhenFull, sizeBytes: statSync(model.path).size, text });
    `);
    expectFigures(outcome);
    expect(outcome.full.message).toMatch(/HF_HUB_CACHE or the option `cacheDirectory`/);
    expect(outcome.text).not.toBe('');
  });

  it('during a quantization ends it with figures under the name that was given, and leaves nothing', async () => {
    const outcome = await run<Outcome>(`
      import { quantize } from 'llama-native';
      const output = disk + '/out.gguf';
      const options = { type: 'Q4_K_M', threads: 1 };
      const full = await failureOf(
        quantize(given.quantizable, output, { ...options, onProgress: () => existsSync(filler) || fillDisk() }),
      );
      const filesWhenFull = filesOn();
      makeRoom();
      const { bytesAfter } = await quantize(given.quantizable, output, options);
      report({ full, filesWhenFull, sizeBytes: bytesAfter });
    `);
    expectFigures(outcome);
    expect(outcome.full.message).not.toContain('.partial');
  });

  it('before a quantization is seen before anything is computed', async () => {
    const { full, progressed, files } = await run<{ full: Failure; progressed: boolean; files: string[] }>(`
      import { quantize } from 'llama-native';
      fillDisk();
      let progressed = false;
      const full = await failureOf(quantize(given.quantizable, disk + '/out.gguf', {
        type: 'Q4_K_M', onProgress: () => { progressed = true; },
      }));
      report({ full, progressed, files: filesOn() });
    `);
    expect(full).toMatchObject({ code: 'DISK_FULL', details: { freeBytes: 0 } });
    expect(full.message).toMatch(/will take [\d.]+ MB, but only 0 bytes are free there\. Make room/);
    expect({ progressed, files }).toEqual({ progressed: false, files: ['filler'] });
  });

  it('during an imatrix keeps what was saved before, from which it goes on when there is room', async () => {
    const { full, filesWhenFull, isSame, rest } = await run<{
      full: Failure;
      filesWhenFull: string[];
      isSame: boolean;
      rest: { evaluatedChunks: number; chunks: number };
    }>(`
      import { imatrix, loadModel } from 'llama-native';
      const model = await loadModel(given.generator, { contextSize: 256, threads: 1 });
      const text = 'Rivers run to the sea. '.repeat(400);
      const output = disk + '/matrix.gguf';
      const options = { output, contextSize: 256, chunks: 32, saveEvery: 1 };
      let saved;
      const onProgress = () => {
        if (saved !== undefined || !existsSync(output)) return;
        saved = hashOf(output);
        fillDisk();
      };
      const full = await failureOf(imatrix(model, text, { ...options, onProgress }));
      const filesWhenFull = filesOn();
      const isSame = hashOf(output) === saved;
      makeRoom();
      const { evaluatedChunks, chunks } = await imatrix(model, text, { ...options, from: output });
      await model.close();
      report({ full, filesWhenFull, isSame, rest: { evaluatedChunks, chunks } });
    `);
    expect(full.code).toBe('DISK_FULL');
    expect(full.details).toMatchObject({ neededBytes: expect.any(Number), freeBytes: expect.any(Number) });
    expect(full.message).toMatch(
      /will take .* but only 0 bytes are free there.*The first \d+ chunks are in .*`from`/,
    );
    expect(filesWhenFull).toEqual(['filler', 'matrix.gguf']);
    expect(isSame).toBe(true);
    expect(rest).toEqual({ evaluatedChunks: 32 - Number(full.details.savedChunks), chunks: 32 });
    expect(rest.evaluatedChunks).toBeLessThan(32);
  });

  it('during a perplexity that saves log-probabilities leaves nothing', async () => {
    const outcome = await run<Outcome>(`
      import { loadModel, perplexity } from 'llama-native';
      const model = await loadModel(given.generator, { contextSize: 256, threads: 1 });
      const text = 'Rivers run to the sea. '.repeat(800);
      const saveLogProbabilities = disk + '/reference.logits';
      const options = { contextSize: 64, chunks: 250, saveLogProbabilities };
      const onProgress = () => existsSync(filler) || fillDisk();
      const full = await failureOf(perplexity(model, text, { ...options, onProgress }));
      const filesWhenFull = filesOn();
      makeRoom();
      await perplexity(model, text, options);
      await model.close();
      report({ full, filesWhenFull, sizeBytes: statSync(saveLogProbabilities).size });
    `);
    expectFigures(outcome);
  });
});

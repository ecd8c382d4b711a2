// Measures a group of rows: ours and the reference one right after the other, in an order that the round decides.
import { spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, fsyncSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runMeasurement, runToEnd } from '../processes.mjs';
import { toolPath } from '../reference-tools.mjs';
import { median } from '../statistics.mjs';

const script = 'workshop/measure.mjs';

/** Processes whose first call is measured in a round. */
const processCount = 7;

async function inTurn(libraryFirst, library, reference) {
  const early = libraryFirst ? await library() : undefined;
  const theirs = await reference();
  return { ours: early ?? (await library()), theirs };
}

async function measureQuantize({ f16, scratch, threads, libraryFirst }) {
  const [ours, theirs] = [join(scratch, 'ours.gguf'), join(scratch, 'theirs.gguf')];
  for (const path of [ours, theirs]) rmSync(path, { force: true });
  const times = await inTurn(
    libraryFirst,
    () => runMeasurement(script, { kind: 'quantize', input: f16, output: ours, threads }),
    async () => {
      const begin = performance.now();
      await runToEnd(toolPath('llama-quantize'), [f16, theirs, 'Q4_K_M', String(threads)]);
      return performance.now() - begin;
    },
  );
  if (!readFileSync(ours).equals(readFileSync(theirs))) throw new Error('The quantized files differ.');
  for (const path of [ours, theirs]) rmSync(path);
  return { library: { quantize: times.ours.ms / 1000 }, reference: { quantize: times.theirs / 1000 } };
}

function copy(source, target) {
  if (process.platform === 'win32') {
    copyFileSync(source, target);
    return;
  }
  const { status, stderr } = spawnSync('cp', [source, target], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cp failed: ${stderr}`);
}

function flush(path) {
  const file = openSync(path, 'r+');
  fsyncSync(file);
  closeSync(file);
}

/**
 * Puts the system into the same state before each side: the source is in its cache, and so was, a moment ago, memory
 * for as large a file. Memory that was not used for a while can take five times as long in a virtual machine.
 */
function settleCache(source, scratch) {
  const path = join(scratch, 'settle');
  copy(source, path);
  flush(path);
  rmSync(path);
}

function measureCopy(source, scratch) {
  settleCache(source, scratch);
  const target = join(scratch, 'copy');
  const begin = performance.now();
  copy(source, target);
  const copied = performance.now();
  flush(target);
  const flushed = performance.now();
  rmSync(target);
  return { copyMs: copied - begin, flushedMs: flushed - begin };
}

async function measureConvert({ checkpoint, type, scratch, threads, libraryFirst, checkpoints }) {
  const { folder } = checkpoints[checkpoint];
  const source = join(folder, 'model.safetensors');
  const output = join(scratch, 'converted.gguf');
  const { ours, theirs } = await inTurn(
    libraryFirst,
    async () => {
      settleCache(source, scratch);
      const result = await runMeasurement(script, { kind: 'convert', folder, output, type, threads });
      rmSync(output);
      return result;
    },
    () => measureCopy(source, scratch),
  );
  const id = `convert-${checkpoint}-${type}`;
  const speed = (ms) => statSync(source).size / 1000 / ms;
  return {
    library: {
      [id]: speed(ours.ms),
      [`${id}-unflushed`]: speed(ours.ms),
      'convert-memory': ours.peakBytes / 1e6,
    },
    reference: { [id]: speed(theirs.flushedMs), [`${id}-unflushed`]: speed(theirs.copyMs) },
  };
}

async function measureMetadata({ sparse }) {
  const calls = await runMeasurement(script, { kind: 'metadata', path: sparse, calls: 31 });
  const first = [];
  for (let index = 0; index < processCount; index++) {
    first.push((await runMeasurement(script, { kind: 'metadata', path: sparse, calls: 1 })).first);
  }
  return { library: { 'metadata-median': calls.median, 'metadata-first': median(first) }, reference: {} };
}

async function measureRequantize({ threads }) {
  const { one, all } = await runMeasurement(script, { kind: 'requantize', threads, calls: 7 });
  return { library: { requantize: all }, reference: { requantize: one } };
}

/** Measures all rows of a group once. */
export function measureWorkshopGroup(group, [row], settings) {
  if (group === 'quantize') return measureQuantize(settings);
  if (group === 'metadata') return measureMetadata(settings);
  if (group === 'requantize') return measureRequantize(settings);
  return measureConvert({
    ...settings,
    checkpoint: group.split('-')[1],
    type: row.type ?? group.split('-')[2],
  });
}

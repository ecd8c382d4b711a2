import { execFile } from 'node:child_process';
import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { LlamaNativeError } from '../../lib/errors.js';
import {
  editGgufMetadata,
  type GgufTensorInput,
  type GgufWriteProgress,
  mergeGguf,
  readGgufHeader,
  type SplitGgufOptions,
  splitGguf,
} from '../../lib/gguf/index.js';
import { filledTensor, rejection, temporaryFile, text, writeTinyModel } from '../helpers/gguf-files.js';
import { MutatedFile } from '../helpers/gguf-mutated-file.js';
import { mutate } from '../helpers/gguf-mutations.js';
import { readSeed } from '../helpers/gguf-seeds.js';
import { hashOf } from '../helpers/hub-fixtures.js';

const tensors: readonly GgufTensorInput[] = [3, 40, 7, 1000, 9].map((size, index) =>
  filledTensor(`tensor ${index}`, [size], 'F32', 4 * size),
);

async function splitModel(options: SplitGgufOptions = { maxTensors: 2 }) {
  const model = await writeTinyModel({}, tensors);
  const folder = dirname(await temporaryFile());
  const parts = await splitGguf(model, join(folder, '模型'), options);
  return { model, folder, parts, first: parts[0] ?? '' };
}

describe('a split model', () => {
  it('has its files in order, with the metadata in the first', async () => {
    const { parts } = await splitModel();
    expect(parts.map((part) => basename(part))).toEqual([
      '模型-00001-of-00003.gguf',
      '模型-00002-of-00003.gguf',
      '模型-00003-of-00003.gguf',
    ]);
    const headers = await Promise.all(parts.map((part) => readGgufHeader(part)));
    expect(headers.map((header) => header.tensors.map(({ name }) => name))).toEqual([
      ['tensor 0', 'tensor 1'],
      ['tensor 2', 'tensor 3'],
      ['tensor 4'],
    ]);
    expect(headers.map(({ metadata }) => metadata.has('general.name'))).toEqual([true, false, false]);
    expect(headers.map(({ metadata }) => metadata.get('split.no')?.value)).toEqual([0, 1, 2]);
  });

  it('gives a tensor larger than the limit a file of its own, also the first', async () => {
    const { parts } = await splitModel({ maxBytes: 200 });
    const headers = await Promise.all(parts.map((part) => readGgufHeader(part)));
    expect(headers.map((header) => header.tensors.length)).toEqual([2, 1, 1, 1]);
    const one = await splitModel({ maxBytes: 1 });
    expect(one.parts).toHaveLength(5);
  });

  it('becomes the same model again, whatever its alignment', async () => {
    const wide = await writeTinyModel({ 'general.alignment': { type: 'uint32', value: 128 } }, tensors);
    const folder = dirname(await temporaryFile());
    const [first = ''] = await splitGguf(wide, join(folder, 'x'), { maxTensors: 1 });
    const merged = join(folder, 'merged.gguf');
    await mergeGguf(first, merged);
    const [before, after] = await Promise.all([readGgufHeader(wide), readGgufHeader(merged)]);
    expect(after.tensors).toEqual(before.tensors);
    const dataOf = async (path: string, start: number) => (await readFile(path)).subarray(start);
    expect(await dataOf(merged, after.dataOffset)).toEqual(await dataOf(wide, before.dataOffset));
  });

  it('reports progress up to all of its bytes', async () => {
    const reports: GgufWriteProgress[] = [];
    await splitModel({ maxTensors: 2, onProgress: (report) => reports.push(report) });
    const last = reports.at(-1);
    expect(last?.writtenBytes).toBe(last?.totalBytes);
    expect(new Set(reports.map(({ path }) => basename(path))).size).toBe(3);
  });

  it('is not there at all after it was cancelled, and nothing else is', async () => {
    const model = await writeTinyModel({}, tensors);
    const folder = dirname(await temporaryFile());
    const controller = new AbortController();
    const onProgress = ({ path }: GgufWriteProgress) => {
      if (path.includes('-00002-')) controller.abort();
    };
    const splitting = splitGguf(model, join(folder, 'x'), {
      maxTensors: 2,
      signal: controller.signal,
      onProgress,
    });
    await rejection(splitting, 'ABORTED');
    expect(await readdir(folder)).toEqual([]);
  });

  it('is not made where one of its files exists, unless that is asked for', async () => {
    const model = await writeTinyModel({}, tensors);
    const folder = dirname(await temporaryFile());
    const existing = join(folder, 'x-00003-of-00003.gguf');
    await writeFile(existing, 'mine');
    await rejection(splitGguf(model, join(folder, 'x'), { maxTensors: 2 }), 'OUTPUT_EXISTS');
    expect(await readdir(folder)).toEqual([basename(existing)]);
    await splitGguf(model, join(folder, 'x'), { maxTensors: 2, overwrite: true });
    expect(await readdir(folder)).toHaveLength(3);
  });

  it('is not split again, and not of a damaged file', async () => {
    const { first, folder, model } = await splitModel();
    await rejection(splitGguf(first, join(folder, 'y')), 'MODEL_INVALID');
    await truncate(model, (await readFile(model)).length - 100);
    await rejection(splitGguf(model, join(folder, 'y')), 'MODEL_INVALID');
    await rejection(splitGguf(join(folder, 'no'), join(folder, 'y')), 'MODEL_NOT_FOUND');
    await rejection(splitGguf(model, ''), 'INVALID_ARGUMENT');
    await rejection(splitGguf(model, 'x', { maxTensors: 0 }), 'INVALID_ARGUMENT');
    await rejection(splitGguf(model, 'x', { maxTensor: 1 } as never), 'INVALID_ARGUMENT');
  });
});

describe.runIf(process.platform !== 'win32')('on a disk that becomes full', () => {
  it.each(['splitGguf', 'mergeGguf', 'editGgufMetadata', 'writeGguf'])('%s leaves nothing', async (name) => {
    const large = [filledTensor('large', [400_000], 'F32', 1_600_000), ...tensors];
    const model = await writeTinyModel({}, large);
    const folder = dirname(await temporaryFile());
    const [first = ''] = await splitGguf(model, join(dirname(model), 'part'), { maxTensors: 3 });
    const output = JSON.stringify(join(folder, 'output'));
    const calls: Record<string, string> = {
      splitGguf: `splitGguf(${JSON.stringify(model)}, ${output}, { maxTensors: 3 })`,
      mergeGguf: `mergeGguf(${JSON.stringify(first)}, ${output})`,
      editGgufMetadata: `editGgufMetadata(${JSON.stringify(model)}, ${output}, {})`,
      writeGguf: `writeGguf(${output}, { metadata: {}, tensors: [{ name: 'x', dimensions: [400000], type: 'F32', data: () => new Uint8Array(1600000) }] })`,
    };
    const library = JSON.stringify(
      new URL('../../lib/gguf/index.js', import.meta.url).href.replace('/lib/', '/dist/'),
    );
    const program = `const gguf = await import(${library});
      await gguf.${calls[name]}.catch((error) => console.log(error.code));`;
    // The largest file may have 1000 blocks of 1024 bytes; more is refused as on a full disk.
    const script = 'ulimit -f 1000; trap "" XFSZ; exec "$0" --input-type=module -e "$1"';
    const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, program]);
    expect(stdout.trim()).toBe('DISK_FULL');
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('merging', () => {
  it('names the part that is missing', async () => {
    const { first, folder, parts } = await splitModel();
    await rm(parts[1] ?? '');
    const error = await rejection(mergeGguf(first, join(folder, 'm')), 'MODEL_NOT_FOUND');
    expect(error.message).toContain('File 2 of 3');
  });

  it('refuses parts that do not belong together', async () => {
    const { folder, parts, first } = await splitModel();
    const other = await splitModel({ maxTensors: 4 });
    const merge = (from = first) => mergeGguf(from, join(folder, 'm'));
    await rejection(merge(parts[1]), 'MODEL_INVALID');
    await rejection(merge(other.model), 'MODEL_INVALID');
    // A part of another split, under the name of one of ours: it says that it is one of two.
    await rename(other.parts[1] ?? '', parts[1] ?? '');
    expect((await rejection(merge(), 'MODEL_INVALID')).message).toContain('of 2 files');
    const twin = await splitModel();
    await rename(twin.parts[2] ?? '', parts[1] ?? '');
    expect((await rejection(merge(), 'MODEL_INVALID')).message).toContain('split.no is 2');
    expect(await readdir(folder)).not.toContain('m');
  });

  it('does not write over one of its parts, nor over another file', async () => {
    const { first, parts, model } = await splitModel();
    await rejection(mergeGguf(first, parts[2] ?? '', { overwrite: true }), 'INVALID_ARGUMENT');
    await rejection(mergeGguf(first, model), 'OUTPUT_EXISTS');
    await mergeGguf(first, model, { overwrite: true });
    expect((await readGgufHeader(model)).tensors).toHaveLength(5);
  });
});

describe('a file with other metadata', () => {
  it('keeps all else, and the places of the keys', async () => {
    const model = await writeTinyModel({ 'tokenizer.chat_template': text('old') }, tensors);
    const output = await temporaryFile();
    await editGgufMetadata(model, output, {
      'tokenizer.chat_template': text('{{ 新 }}'),
      'general.name': null,
      'my.key': { type: 'array', elementType: 'int32', value: [1, 2] },
    });
    const [before, after] = await Promise.all([readGgufHeader(model), readGgufHeader(output)]);
    const kept = [...before.metadata.keys()].filter((key) => key !== 'general.name');
    expect([...after.metadata.keys()]).toEqual([...kept, 'my.key']);
    expect(after.metadata.get('tokenizer.chat_template')?.value).toBe('{{ 新 }}');
    expect(after.tensors).toEqual(before.tensors);
    const tail = async (path: string) => (await readFile(path)).subarray(-4000);
    expect(await tail(output)).toEqual(await tail(model));
  });

  it('is the same file when nothing is changed', async () => {
    const model = await writeTinyModel({}, tensors);
    const output = await temporaryFile();
    await editGgufMetadata(model, output, {});
    expect(await hashOf(output)).toBe(await hashOf(model));
  });

  it('is refused for values that cannot be written, and in place of its source', async () => {
    const model = await writeTinyModel({}, tensors);
    const output = await temporaryFile();
    const edit = (changes: unknown, target = output) => editGgufMetadata(model, target, changes as never);
    await rejection(edit({ 'general.name': 'plain text' }), 'INVALID_ARGUMENT');
    await rejection(edit({ 'general.name': { type: 'text', value: '' } }), 'INVALID_ARGUMENT');
    await rejection(edit({ 'general.name': { type: 'uint8', value: 300 } }), 'INVALID_ARGUMENT');
    await rejection(edit({ '': text('x') }), 'INVALID_ARGUMENT');
    await rejection(edit(null), 'INVALID_ARGUMENT');
    await rejection(
      editGgufMetadata(model, model, { 'general.name': text('x') }, { overwrite: true }),
      'INVALID_ARGUMENT',
    );
    expect(await readdir(dirname(output))).toEqual([]);
  });
});

describe('splitting, merging and editing damaged files', () => {
  it('ends in files or in an error of its kind for 200 mutations, and leaves nothing behind', async () => {
    const { parts, first, folder } = await splitModel();
    const seed = await readSeed('part', first);
    const mutated = await MutatedFile.create(join(folder, 'y-00001-of-00003.gguf'), seed);
    for (const [index, part] of parts.entries()) {
      if (index > 0) await writeFile(join(folder, `y-0000${index + 1}-of-00003.gguf`), await readFile(part));
    }
    const counts = new Map<string, number>();
    const output = join(folder, 'output');
    const attempt = async (work: Promise<unknown>) => {
      const outcome = await work.then(
        () => 'done',
        (error: unknown) => (LlamaNativeError.isInstance(error) ? error.code : String(error)),
      );
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      for (const name of await readdir(folder)) {
        if (name.startsWith('output')) await rm(join(folder, name));
        expect(name).not.toContain('.partial');
      }
    };
    for (let index = 0; index < 200; index++) {
      await mutated.apply(mutate(seed, index));
      await attempt(mergeGguf(mutated.path, output));
      await attempt(splitGguf(mutated.path, output, { maxTensors: 1 }));
      await attempt(editGgufMetadata(mutated.path, output, { 'general.name': text('x') }));
    }
    await mutated.close();
    const expected = /^(done|MODEL_INVALID|MODEL_UNSUPPORTED|MODEL_NOT_FOUND|INVALID_ARGUMENT)$/;
    expect([...counts.keys()].filter((outcome) => !expected.test(outcome))).toEqual([]);
    expect(counts.get('done')).toBeGreaterThan(20);
    expect(counts.get('MODEL_INVALID')).toBeGreaterThan(80);
  });
});

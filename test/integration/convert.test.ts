import { spawn } from 'node:child_process';
import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { convert, loadModel, readGgufHeader } from '../../lib/index.js';
import { smallCheckpoints, writeSmallCheckpoint } from '../helpers/checkpoint-families.js';
import { writeBothForms } from '../helpers/gguf-to-checkpoint.js';
import { testModelPath } from '../helpers/model.js';
import { projectPath } from '../helpers/vendored.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convert-转换-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function logitsOf(path: string, text: string): Promise<{ tokens: Int32Array; logits: Float32Array }> {
  const model = await loadModel(path, { contextSize: 256, threads: 1 });
  const context = await model.createContext({ contextSize: 256 });
  const tokens = await model.tokenize(text);
  await context.eval(tokens);
  const logits = await context.logits();
  await context.close();
  await model.close();
  return { tokens, logits };
}

/** Length of the difference, as a share of the length of what is expected. */
function distance(received: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let length = 0;
  expected.forEach((value, index) => {
    difference += ((received[index] as number) - value) ** 2;
    length += value ** 2;
  });
  return Math.sqrt(difference / length);
}

test('a model that was taken apart into a checkpoint comes back with the same numbers and the same logits', async () => {
  const { gguf, checkpoint, floats } = await writeBothForms(await testModelPath(), folder, 4);
  const output = join(folder, 'smollm.gguf');
  await convert(checkpoint, output, { type: 'f32' });

  const header = await readGgufHeader(output);
  const file = await open(output);
  for (const { name, byteSize, offset } of header.tensors) {
    const bytes = Buffer.alloc(byteSize);
    await file.read(bytes, 0, byteSize, header.dataOffset + offset);
    expect(Buffer.compare(bytes, floats.get(name) as Uint8Array), name).toBe(0);
  }
  await file.close();
  expect(header.tensors).toHaveLength(floats.size);

  const before = await logitsOf(gguf, '你好, the capital of France is 1234');
  const after = await logitsOf(output, '你好, the capital of France is 1234');
  expect(after.tokens).toEqual(before.tokens);
  expect(distance(after.logits, before.logits)).toBeLessThan(1e-3);
}, 120_000);

test('a converted BERT makes the vectors that Transformers makes', async () => {
  const checkpoint = smallCheckpoints.find(({ name }) => name === 'all-MiniLM-L6-v2');
  const bert = await writeSmallCheckpoint(folder, checkpoint as (typeof smallCheckpoints)[number]);
  const { path } = await convert(bert, join(folder, 'bert.gguf'), { type: 'f32' });
  const model = await loadModel(path, { threads: 1 });
  const fixture = new URL('../fixtures/convert-embeddings.json', import.meta.url);
  const references: { text: string; vector: number[] }[] = JSON.parse(await readFile(fixture, 'utf8'));
  for (const { text, vector } of references) {
    const received = await model.embed(text);
    expect(distance(received, Float32Array.from(vector)), text).toBeLessThan(1e-3);
  }
  await model.close();
});

test('a conversion whose process is killed leaves no file under the final name, and the next one works', async () => {
  const source = join(folder, 'checkpoint');
  const output = join(folder, 'killed.gguf');
  const library = pathToFileURL(join(projectPath, 'dist', 'index.js')).href;
  const program = `
    const { convert } = await import(${JSON.stringify(library)});
    await convert(${JSON.stringify(source)}, ${JSON.stringify(output)}, {
      type: 'f16',
      onProgress: ({ tensorNumber }) => { if (tensorNumber >= 5) process.kill(process.pid, 'SIGKILL'); },
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
  const [code] = await new Promise<[number | null]>((resolve) =>
    child.on('close', (exit) => resolve([exit])),
  );
  expect(code).not.toBe(0);
  expect((await readdir(folder)).filter((name) => name === 'killed.gguf')).toEqual([]);
  const { sizeBytes } = await convert(source, output, { type: 'f16' });
  expect((await stat(output)).size).toBe(sizeBytes);
  expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
}, 60_000);

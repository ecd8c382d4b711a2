import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { LlamaNativeError } from '../../lib/errors.js';
import { type GgufTensorInput, type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import { strings, text, uint32 } from './gguf-values.js';

export { strings, text, uint32 } from './gguf-values.js';

/** Changes to the metadata of {@link writeTinyModel}; undefined takes a key away. */
export type MetadataChanges = Readonly<Record<string, GgufValueInput | undefined>>;

let directory: string | undefined;
let count = 0;

afterAll(async () => {
  if (directory !== undefined) {
    await rm(directory, { recursive: true, force: true });
  }
});

/** Path for a new file with this name, in a folder that is removed after the tests. */
export async function temporaryFile(name = 'model.gguf'): Promise<string> {
  directory ??= await mkdtemp(join(tmpdir(), 'gguf-test-'));
  const folder = await mkdtemp(join(directory, `${count++}-`));
  return join(folder, name);
}

/** Writes bytes into a new file and returns its path. */
export async function writeBytes(bytes: Uint8Array | string, name?: string): Promise<string> {
  const path = await temporaryFile(name);
  await writeFile(path, bytes);
  return path;
}

/** Metadata of a model that passes every check, small enough to write out. */
export const tinyMetadata: Readonly<Record<string, GgufValueInput>> = {
  'general.architecture': text('llama'),
  'general.name': text('Tiny'),
  'general.file_type': uint32(1),
  'llama.block_count': uint32(2),
  'llama.context_length': uint32(128),
  'llama.embedding_length': uint32(64),
  'llama.feed_forward_length': uint32(96),
  'llama.attention.head_count': uint32(4),
  'llama.attention.head_count_kv': uint32(2),
  'llama.attention.layer_norm_rms_epsilon': { type: 'float32', value: 1e-5 },
  'llama.rope.dimension_count': uint32(16),
  'tokenizer.ggml.model': text('llama'),
  'tokenizer.ggml.tokens': strings('<unk>', '<s>', '</s>', 'a', 'b', '<0x0A>'),
  'tokenizer.ggml.scores': { type: 'array', elementType: 'float32', value: [0, 0, 0, -1, -2, 0] },
  'tokenizer.ggml.token_type': { type: 'array', elementType: 'int32', value: [2, 3, 3, 1, 1, 6] },
};

/** A tensor whose bytes are all the same. */
export function filledTensor(
  name: string,
  dimensions: number[],
  type: string,
  byteSize: number,
): GgufTensorInput {
  return { name, dimensions, type, data: () => new Uint8Array(byteSize).fill(7) };
}

/** Tensors that go with {@link tinyMetadata} as far as the checks look. */
export const tinyTensors: readonly GgufTensorInput[] = [
  filledTensor('token_embd.weight', [64, 6], 'F16', 64 * 6 * 2),
  filledTensor('output_norm.weight', [64], 'F32', 64 * 4),
];

/** Writes a small model with some of its metadata changed and returns its path. */
export async function writeTinyModel(
  changes: MetadataChanges = {},
  tensors: readonly GgufTensorInput[] = tinyTensors,
  name?: string,
): Promise<string> {
  const metadata = new Map<string, GgufValueInput>(Object.entries(tinyMetadata));
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) {
      metadata.delete(key);
    } else {
      metadata.set(key, value);
    }
  }
  const path = await temporaryFile(name);
  await writeGguf(path, { metadata, tensors });
  return path;
}

/** The error that a promise is rejected with: one of the library's with this code. */
export async function rejection(promise: Promise<unknown>, code: string): Promise<LlamaNativeError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!LlamaNativeError.isInstance(error)) {
    throw new Error(`Expected an error with code ${code}`, { cause: error });
  }
  expect(error.code).toBe(code);
  return error;
}

/** The least of some durations in milliseconds: other programs on the machine only make them longer. */
export async function bestTime(work: () => Promise<unknown>): Promise<number> {
  const durations: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    await work();
    durations.push(performance.now() - start);
  }
  return Math.min(...durations);
}

/** LoRA adapters of random numbers for any model, and the same change merged into the model's weights. */
import { open } from 'node:fs/promises';
import type { GgufHeader, GgufTensorInfo } from '../../lib/gguf/types.js';
import { type GgufTensorInput, type GgufValueInput, writeGguf } from '../../lib/gguf/write.js';
import type { MetadataChanges } from './gguf-files.js';
import { Random } from './gguf-random.js';

/** What an adapter adds to a matrix of a model: B·A, times a factor. Rows lie one after the other. */
export interface LowRankChange {
  /** Name of the model's tensor. */
  readonly name: string;
  /** Elements of a row of the model's tensor, and how many rows it has. */
  readonly columns: number;
  readonly rows: number;
  readonly rank: number;
  /** In the order of the file; for token embeddings A and B are the other way round. */
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** How {@link randomChanges} makes an adapter. */
export interface AdapterPlan {
  /** Which tensors are changed. Default: the queries of every layer. */
  readonly targets?: RegExp;
  /** Default 4. */
  readonly rank?: number;
  readonly seed?: number;
  /** About how large the change of an output is, for inputs of deviation 1. Default 1. */
  readonly size?: number;
}

const transposedName = /token_embd\.weight$/;

/** Random changes of a model's matrices. */
export function randomChanges(model: GgufHeader, plan: AdapterPlan = {}): LowRankChange[] {
  const { targets = /attn_q\.weight$/, rank = 4, seed = 1, size = 1 } = plan;
  const random = new Random(seed);
  const numbers = (count: number, deviation: number) =>
    Float32Array.from({ length: count }, () => (random.next() - 0.5) * Math.sqrt(12) * deviation);
  const matrices = model.tensors.filter(
    ({ name, dimensions }) => targets.test(name) && dimensions.length === 2,
  );
  return matrices.map(({ name, dimensions: [columns = 1, rows = 1] }) => {
    const isTransposed = transposedName.test(name);
    const a = numbers(rank * (isTransposed ? rows : columns), size / Math.sqrt(columns));
    const b = numbers(rank * (isTransposed ? columns : rows), 1 / Math.sqrt(rank));
    return { name, columns, rows, rank, a, b };
  });
}

function tensorsOf({ name, columns, rows, rank, a, b }: LowRankChange): GgufTensorInput[] {
  const isTransposed = transposedName.test(name);
  const tensor = (suffix: string, dimensions: number[], values: Float32Array): GgufTensorInput => {
    return { name: `${name}${suffix}`, dimensions, type: 'F32', data: () => new Uint8Array(values.buffer) };
  };
  return [
    tensor('.lora_a', isTransposed ? [rank, rows] : [columns, rank], a),
    tensor('.lora_b', [rank, isTransposed ? columns : rows], b),
  ];
}

/** Only tests have a folder that is removed after them; the fuzzer, which is none, gives paths of its own. */
async function testFile(name: string): Promise<string> {
  const { temporaryFile } = await import('./gguf-files.js');
  return temporaryFile(name);
}

/** What is in an adapter file besides its matrices. */
export interface AdapterFileOptions {
  /** Default 8. */
  readonly alpha?: number;
  /** Changes of its metadata; undefined takes a key away. */
  readonly metadata?: MetadataChanges;
  /** Changes of its tensors. */
  readonly tensors?: (tensors: GgufTensorInput[]) => GgufTensorInput[];
  /** Default: a new file that is removed after the tests. */
  readonly path?: string;
}

/** Writes an adapter for a model and returns its path. */
export async function writeAdapter(
  model: GgufHeader,
  changes: readonly LowRankChange[],
  options: AdapterFileOptions = {},
): Promise<string> {
  const { alpha = 8, metadata: edits = {}, tensors: edit = (tensors) => tensors } = options;
  const metadata = new Map<string, GgufValueInput>([
    ['general.type', { type: 'string', value: 'adapter' }],
    ['general.architecture', model.metadata.get('general.architecture') as GgufValueInput],
    ['general.tags', { type: 'array', elementType: 'string', value: ['lora', 'test'] }],
    ['adapter.type', { type: 'string', value: 'lora' }],
    ['adapter.lora.alpha', { type: 'float32', value: alpha }],
    ['adapter.alora.invocation_tokens', { type: 'array', elementType: 'uint32', value: [] }],
  ]);
  for (const [key, value] of Object.entries(edits)) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  const path = options.path ?? (await testFile('adapter.gguf'));
  await writeGguf(path, { metadata, tensors: edit(changes.flatMap(tensorsOf)) });
  return path;
}

/** Changes of a model, and the factor they are added with: scale · alpha / rank. */
export interface MergedChanges {
  readonly changes: readonly LowRankChange[];
  readonly factor: number;
}

/** Writes a model in F32 with changes merged into its weights, and returns its path. */
export async function writeMergedModel(model: GgufHeader, merged: readonly MergedChanges[]): Promise<string> {
  const path = await testFile('merged.gguf');
  const file = await open(model.path, 'r');
  try {
    const tensors = await Promise.all(
      model.tensors.map(async (tensor): Promise<GgufTensorInput> => {
        const bytes = Buffer.alloc(tensor.byteSize);
        await file.read(bytes, 0, bytes.length, model.dataOffset + tensor.offset);
        if (tensor.type === 'F32') addTo(tensor, bytes, merged);
        return { ...tensor, data: () => bytes };
      }),
    );
    await writeGguf(path, { metadata: model.metadata, tensors });
  } finally {
    await file.close();
  }
  return path;
}

function addTo(tensor: GgufTensorInfo, bytes: Buffer, merged: readonly MergedChanges[]): void {
  const weights = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (const { changes, factor } of merged) {
    const change = changes.find(({ name }) => name === tensor.name);
    if (change === undefined) continue;
    for (let index = 0; index < weights.length; index++) {
      weights[index] = (weights[index] ?? 0) + factor * productAt(change, index);
    }
  }
}

/** Element of B·A at an index into the model's tensor. */
function productAt({ name, columns, rank, a, b }: LowRankChange, index: number): number {
  const row = Math.floor(index / columns);
  const column = index % columns;
  let sum = 0;
  for (let r = 0; r < rank; r++) {
    sum += transposedName.test(name)
      ? (b[column * rank + r] ?? 0) * (a[row * rank + r] ?? 0)
      : (b[row * rank + r] ?? 0) * (a[r * columns + column] ?? 0);
  }
  return sum;
}

import { invalidAdapter, mismatchedAdapter, unsupportedAdapter } from './adapter-errors.js';
import type { AdapterPair } from './adapter-pairs.js';
import type { GgufHeader, GgufTensorInfo } from './types.js';

/** The types that convert_lora_to_gguf.py writes; every backend multiplies with them and takes rows of them. */
const weightTypes = new Set(['F32', 'F16', 'BF16', 'Q8_0']);

type Shape = readonly [columns: number, rows: number, matrices: number, groups: number];

function shapeOf({ dimensions }: GgufTensorInfo): Shape {
  const [columns = 1, rows = 1, matrices = 1, groups = 1] = dimensions;
  return [columns, rows, matrices, groups];
}

function written(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/**
 * Holds what an adapter adds to a tensor against that tensor.
 * @throws ModelLoadError MODEL_INVALID, MODEL_UNSUPPORTED, ADAPTER_MISMATCH.
 */
export function checkPair(
  header: GgufHeader,
  pair: AdapterPair,
  base: ReadonlyMap<string, GgufTensorInfo>,
): void {
  const tensor = base.get(pair.name);
  if (tensor === undefined) {
    throw mismatchedAdapter(
      header.path,
      `it changes the tensor '${pair.name}', which the model does not have.`,
      {
        tensor: pair.name,
      },
    );
  }
  checkTypes(header, pair, tensor);
  if (pair.name === 'token_embd.weight') checkEmbeddingIsFree(header, base);
  checkRank(header, pair);
  checkShapes(header, pair, tensor);
}

function checkTypes(header: GgufHeader, { name, a, b }: AdapterPair, tensor: GgufTensorInfo): void {
  for (const half of [a, b]) {
    if (weightTypes.has(half.type)) continue;
    throw unsupportedAdapter(
      header.path,
      `expected one of ${[...weightTypes].join(', ')} as the type of '${half.name}'; received ${half.type}. ` +
        'Convert the adapter to one of these.',
      { tensor: half.name, type: half.type },
    );
  }
  // Its graphs multiply with a scale after the adapter was added, and assert that there is none.
  if (tensor.type === 'NVFP4') {
    throw unsupportedAdapter(
      header.path,
      `the model's tensor '${name}' has type NVFP4, which llama.cpp does not combine with adapters. Take another ` +
        'quantization of the model.',
      { tensor: name },
    );
  }
}

/**
 * Where a model has no output matrix of its own, its graph multiplies with the token embeddings too, and finds the
 * adapter by that name: made for taking rows, it has the wrong way round for that, which is an assertion.
 */
function checkEmbeddingIsFree(header: GgufHeader, base: ReadonlyMap<string, GgufTensorInfo>): void {
  if (base.has('output.weight')) return;
  throw unsupportedAdapter(
    header.path,
    'it changes the token embeddings, and the model has no separate output matrix (output.weight), in which case ' +
      'llama.cpp cannot apply it. Merge the adapter into the model instead.',
    { tensor: 'token_embd.weight' },
  );
}

/** Token embeddings are rows that are taken, not multiplied with: A and B are the other way round there. */
function isTransposed({ name }: AdapterPair): boolean {
  return name.endsWith('token_embd.weight');
}

function checkRank(header: GgufHeader, pair: AdapterPair): void {
  const [columnsOfA, rowsOfA] = shapeOf(pair.a);
  const [rankOfB] = shapeOf(pair.b);
  const rankOfA = isTransposed(pair) ? columnsOfA : rowsOfA;
  if (rankOfA > 0 && rankOfA === rankOfB) return;
  throw invalidAdapter(
    header.path,
    `expected one rank, 1 or more, for both matrices of '${pair.name}'; received ${rankOfA} and ${rankOfB}. ` +
      'Convert the adapter again.',
    { tensor: pair.name },
  );
}

function checkShapes(header: GgufHeader, pair: AdapterPair, tensor: GgufTensorInfo): void {
  const [rank] = shapeOf(pair.b);
  const [columns, rows, matrices, groups] = shapeOf(tensor);
  const a: Shape = isTransposed(pair) ? [rank, rows, matrices, groups] : [columns, rank, matrices, groups];
  const b: Shape = [rank, isTransposed(pair) ? columns : rows, matrices, groups];
  for (const [half, expected] of [
    [pair.a, a],
    [pair.b, b],
  ] as const) {
    const received = shapeOf(half);
    if (received.every((size, index) => size === expected[index])) continue;
    throw mismatchedAdapter(
      header.path,
      `expected the shape ${written(expected)} for '${half.name}', to go with the model's tensor of the shape ` +
        `${written(shapeOf(tensor))}; received ${written(received)}.`,
      { tensor: half.name, expected, received },
    );
  }
}

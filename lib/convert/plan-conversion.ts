import { type TensorType, tensorByteSize, tensorTypeByName } from '../gguf/tensor-types.js';
import type { GgufTensorInput } from '../gguf/write.js';
import type { ModelLayout } from './architectures/index.js';
import { invalidCheckpoint, unsupportedCheckpoint } from './checkpoint/index.js';
import { type ConvertType, outputType } from './tensors/output-type.js';
import { PieceLine } from './tensors/piece-line.js';
import { PieceMemory } from './tensors/piece-memory.js';
import { piecesOf } from './tensors/produce.js';
import { checkSourceType, type SourceTensor } from './tensors/source-tensor.js';
import type { TensorChange } from './tensors/tensor-plan.js';

/** A tensor of the GGUF file and how many bytes it has. */
export type PlannedTensor = GgufTensorInput & {
  readonly byteSize: number;
  /** Of a layer that was quantized: what became of it. */
  readonly result?: SourceTensor['result'] | undefined;
};

/** How tensors are converted. */
export interface ConversionPlan {
  /** The type that most of them get. */
  readonly type: ConvertType;
  readonly threads: number;
}

/** Where all tensors of a conversion are made. */
interface Workshop extends ConversionPlan {
  readonly line: PieceLine;
  readonly memory: PieceMemory;
}

/**
 * Decides for each tensor of a checkpoint what it becomes.
 * @throws ConversionError CHECKPOINT_INVALID for one that is missing or has another shape than it should,
 * CHECKPOINT_UNSUPPORTED for one that nobody knows.
 */
export function planTensors(
  folder: string,
  layout: ModelLayout,
  sources: readonly SourceTensor[],
  plan: ConversionPlan,
): PlannedTensor[] {
  const computed = layout.computedTensors.map(({ name, values }) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return { name, dimensions: [values.length], type: 'F32', byteSize: bytes.byteLength, data: () => bytes };
  });
  const workshop = { ...plan, line: new PieceLine(), memory: new PieceMemory() };
  const converted = sources.flatMap((source) => {
    const planned = planTensor(folder, layout, source, workshop);
    return planned === undefined ? [] : [planned];
  });
  const tensors = [...computed, ...converted];
  checkCompleteness(folder, tensors);
  return tensors;
}

function planTensor(
  folder: string,
  layout: ModelLayout,
  source: SourceTensor,
  { type: wanted, threads, line, memory }: Workshop,
): PlannedTensor | undefined {
  const plan = layout.planTensor(source.name, source.shape);
  if (plan === 'omit') return undefined;
  if (plan === undefined) {
    throw unsupportedCheckpoint(
      folder,
      `the tensor '${source.name.slice(0, 200)}' is none that ${layout.architecture} models have. The checkpoint is of ` +
        'a variant that is not supported.',
      { tensor: source.name },
    );
  }
  checkSourceType(source, folder);
  checkShape(folder, source, plan.change);
  const dimensions = dimensionsOf(source.shape, plan.change);
  const targetType = outputType(plan.name, dimensions, source.type, wanted);
  return {
    name: plan.name,
    dimensions,
    type: targetType,
    byteSize: tensorByteSize(tensorTypeByName(targetType) as TensorType, dimensions),
    data: line.add(() => piecesOf({ source, change: plan.change, targetType, threads }, memory)),
    result: source.result,
  };
}

function dimensionsOf(shape: readonly number[], change: TensorChange | undefined): number[] {
  const [rows, ...others] = shape;
  const kept = change?.kind === 'keep-rows' ? change.count : rows;
  return [kept ?? 1, ...others].reverse();
}

function checkShape(folder: string, { name, shape }: SourceTensor, change: TensorChange | undefined): void {
  const invalid = (expected: string) =>
    invalidCheckpoint(
      folder,
      `expected ${expected} for the tensor '${name}', received [${shape.join(', ')}].`,
      {
        tensor: name,
        shape,
      },
    );
  if (shape.length < 1 || shape.length > 2) throw invalid('one or two dimensions');
  if (shape.some((dimension) => dimension < 1)) throw invalid('dimensions of 1 or more');
  const [rows = 0] = shape;
  if (change?.kind === 'pair-rotated-rows' && rows % (2 * change.heads) !== 0) {
    throw invalid(`rows for ${change.heads} attention heads of even length`);
  }
  if (change?.kind === 'keep-rows' && change.first + change.count > rows) {
    throw invalid(`at least ${change.first + change.count} rows`);
  }
}

/** All layers of a model have the same tensors; a download that lacks a file often has fewer. */
function checkCompleteness(folder: string, tensors: readonly PlannedTensor[]): void {
  const names = new Set<string>();
  const partsByLayer = new Map<number, Set<string>>();
  for (const { name } of tensors) {
    if (names.has(name))
      throw invalidCheckpoint(folder, `two of its tensors become '${name}'.`, { tensor: name });
    names.add(name);
    const [, layer, part] = /^blk\.(\d+)\.(.+)$/.exec(name) ?? [];
    if (part === undefined) continue;
    const parts = partsByLayer.get(Number(layer)) ?? new Set();
    partsByLayer.set(Number(layer), parts.add(part));
  }
  const allParts = new Set([...partsByLayer.values()].flatMap((parts) => [...parts]));
  if (!names.has('token_embd.weight')) throw missing(folder, 'token_embd.weight');
  for (let layer = 0; layer <= Math.max(-1, ...partsByLayer.keys()); layer++) {
    for (const part of allParts) {
      if (!partsByLayer.get(layer)?.has(part)) throw missing(folder, `blk.${layer}.${part}`);
    }
  }
}

function missing(folder: string, name: string): Error {
  return invalidCheckpoint(
    folder,
    `the tensor that becomes '${name}' is missing. Download the safetensors files of the checkpoint again.`,
    { tensor: name },
  );
}

import {
  type Checkpoint,
  type CheckpointTensor,
  invalidCheckpoint,
  unsupportedCheckpoint,
} from '../checkpoint/index.js';
import type { GptqSettings } from './settings.js';

/** A linear layer of a GPTQ checkpoint: weight = scale * (number - zero), both by group of inputs and output. */
export interface GptqLayer {
  /** Name of the layer, such as `model.layers.0.mlp.up_proj`. */
  readonly name: string;
  readonly bits: 4 | 8;
  readonly inputs: number;
  readonly outputs: number;
  readonly groupCount: number;
  /** I32 [inputs * bits / 32, outputs]: numbers along the input, the lowest bits first. */
  readonly weights: CheckpointTensor;
  /** F16, BF16 or F32 [groups, outputs]. */
  readonly scales: CheckpointTensor;
  /** I32 [groups, outputs * bits / 32]: zeros along the output, the lowest bits first. */
  readonly zeros: CheckpointTensor;
  /** Group of each input. */
  readonly groups: Int32Array;
}

/** Names of the tensors of a quantized layer, after that of the layer. */
export const layerParts = ['.qweight', '.qzeros', '.scales', '.g_idx'] as const;

/**
 * Finds the quantized layers of a checkpoint and checks their shapes.
 * @throws ConversionError CHECKPOINT_INVALID for parts that are missing or do not fit together.
 */
export async function findLayers(checkpoint: Checkpoint, settings: GptqSettings): Promise<GptqLayer[]> {
  const names = [...checkpoint.tensors.keys()].filter((name) => name.endsWith('.qweight')).sort();
  const layers: GptqLayer[] = [];
  for (const name of names) {
    layers.push(await readLayer(checkpoint, settings, name.slice(0, -'.qweight'.length)));
  }
  return layers;
}

async function readLayer(checkpoint: Checkpoint, settings: GptqSettings, name: string): Promise<GptqLayer> {
  const { folder } = checkpoint;
  const weights = requirePart(checkpoint, name, '.qweight', ['I32', 'U32']);
  const zeros = requirePart(checkpoint, name, '.qzeros', ['I32', 'U32']);
  const scales = requirePart(checkpoint, name, '.scales', ['F16', 'BF16', 'F32']);
  const [words, outputs] = weights.shape as [number, number];
  const [groupCount] = scales.shape as [number, number];
  const index = checkpoint.tensors.get(`${name}.g_idx`);
  const bits = settings.isDynamic ? bitsOf(words, index, settings.bits) : settings.bits;
  const inputs = (words * 32) / bits;
  if (inputs % 32 !== 0 || inputs === 0 || outputs === 0) {
    throw unsupportedCheckpoint(
      folder,
      `expected a multiple of 32 as number of inputs of '${name}', received ${inputs}.`,
      { tensor: name },
    );
  }
  checkShape(folder, scales, [groupCount, outputs]);
  checkShape(folder, zeros, [groupCount, (outputs * bits) / 32]);
  const groupSize = settings.groupSize === -1 ? inputs : settings.groupSize;
  const expected = Math.ceil(inputs / groupSize);
  if (!settings.isDynamic && groupCount !== expected) {
    throw invalidCheckpoint(
      folder,
      `expected ${expected} groups of '${name}', since ${inputs} inputs are in groups of ${groupSize}; received ` +
        `${groupCount}.`,
      { tensor: name },
    );
  }
  const groups =
    index === undefined
      ? impliedGroups(folder, settings, name, inputs, groupSize)
      : await readGroups(checkpoint, index, inputs, groupCount);
  return { name, bits, inputs, outputs, groupCount, weights, scales, zeros, groups };
}

/** Layers with settings of their own tell them by their sizes. */
function bitsOf(words: number, index: CheckpointTensor | undefined, usual: 4 | 8): 4 | 8 {
  const inputs = index?.shape[0] ?? 0;
  const bits = (words * 32) / inputs;
  return bits === 4 || bits === 8 ? bits : usual;
}

function requirePart(
  checkpoint: Checkpoint,
  name: string,
  part: (typeof layerParts)[number],
  types: readonly string[],
): CheckpointTensor {
  const tensor = checkpoint.tensor(name + part);
  if (types.includes(tensor.type) && tensor.shape.length === 2) return tensor;
  throw invalidCheckpoint(
    checkpoint.folder,
    `expected two dimensions of ${types.join(' or ')} for '${tensor.name}', received ${tensor.type} ` +
      `[${tensor.shape.join(', ')}].`,
    { tensor: tensor.name },
  );
}

function checkShape(folder: string, { name, shape }: CheckpointTensor, expected: readonly number[]): void {
  if (shape.length === expected.length && shape.every((size, index) => size === expected[index])) return;
  throw invalidCheckpoint(
    folder,
    `expected the shape [${expected.join(', ')}] for '${name}', since its layer has that many groups and outputs; ` +
      `received [${shape.join(', ')}].`,
    { tensor: name, shape },
  );
}

/** Without act-order the groups follow each other, and early checkpoints do not say so. */
function impliedGroups(
  folder: string,
  settings: GptqSettings,
  name: string,
  inputs: number,
  groupSize: number,
): Int32Array {
  if (settings.usesActOrder || settings.isDynamic) {
    throw invalidCheckpoint(
      folder,
      `it has no tensor '${name}.g_idx', without which nobody knows which inputs belong together (desc_act). ` +
        'Download the safetensors files again.',
      { tensor: `${name}.g_idx` },
    );
  }
  return Int32Array.from({ length: inputs }, (_, input) => Math.floor(input / groupSize));
}

async function readGroups(
  checkpoint: Checkpoint,
  index: CheckpointTensor,
  inputs: number,
  groupCount: number,
): Promise<Int32Array> {
  checkShape(checkpoint.folder, index, [inputs]);
  const bytes = await checkpoint.read(index.name);
  if (index.type !== 'I32' && index.type !== 'I64') {
    throw invalidCheckpoint(checkpoint.folder, `expected I32 for '${index.name}', received ${index.type}.`, {
      tensor: index.name,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const groups = Int32Array.from({ length: inputs }, (_, input) =>
    index.type === 'I32' ? view.getInt32(input * 4, true) : Number(view.getBigInt64(input * 8, true)),
  );
  const outside = groups.findIndex((group) => group < 0 || group >= groupCount);
  if (outside === -1) return groups;
  throw invalidCheckpoint(
    checkpoint.folder,
    `expected numbers from 0 to ${groupCount - 1} in '${index.name}', received ${groups[outside]} for input ${outside}.`,
    { tensor: index.name },
  );
}

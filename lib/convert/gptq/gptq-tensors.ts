import type { Checkpoint } from '../checkpoint/index.js';
import { rowsByteSize } from '../tensors/convert-rows.js';
import type { ConvertType } from '../tensors/output-type.js';
import { checkpointTensors, type SourceTensor } from '../tensors/source-tensor.js';
import { chooseType, defaultRequantizeType, type LayerTarget, type RequantizeType } from './choose-type.js';
import { findLayers, type GptqLayer, layerParts } from './layer.js';
import { type Deviation, layerSource, readWords } from './layer-source.js';
import type { GptqSettings } from './settings.js';
import type { GptqLayerResult } from './types.js';
import { areSymmetric } from './zeros.js';

/** The tensors of a GPTQ checkpoint as they are to be converted, and what is known of them afterwards. */
export interface GptqTensors {
  readonly sources: readonly SourceTensor[];
  /** After all tensors were read. */
  results(): GptqLayerResult[];
}

/** What the caller wants. */
export interface GptqOptions {
  /** One type for all layers; default: numbers stay as they are where that is possible. */
  readonly type: ConvertType | undefined;
  /** Type of the layers where it is not. */
  readonly requantize: RequantizeType | undefined;
  /** Most threads that work on a layer. */
  readonly threads: number;
}

interface PlannedLayer {
  readonly layer: GptqLayer;
  readonly target: LayerTarget;
  readonly deviation: Deviation;
}

/**
 * Reads a GPTQ checkpoint as if it were a usual one, whose linear layers are in blocks of GGUF.
 * @throws ConversionError CHECKPOINT_INVALID.
 */
export async function gptqTensors(
  checkpoint: Checkpoint,
  settings: GptqSettings,
  options: GptqOptions,
): Promise<GptqTensors> {
  const { type, requantize = defaultRequantizeType, threads } = options;
  const planned: PlannedLayer[] = [];
  for (const layer of await findLayers(checkpoint, settings)) {
    const words = await readWords(checkpoint, layer.zeros.name);
    const isSymmetric = areSymmetric(words, layer.bits, settings.zeroFormat);
    const target = chooseType(layer, isSymmetric, { type, requantize });
    planned.push({ layer, target, deviation: { errorSquares: 0, weightSquares: 0 } });
  }
  const layers = planned.map((plan) => ({
    ...layerSource(checkpoint, plan.layer, settings.zeroFormat, plan.target, plan.deviation, threads),
    result: () => resultOf(plan),
  }));
  const others = await otherTensors(checkpoint, planned);
  const sources = [...layers, ...others].sort((first, second) => (first.name < second.name ? -1 : 1));
  return { sources, results: () => planned.map(resultOf) };
}

async function otherTensors(
  checkpoint: Checkpoint,
  planned: readonly PlannedLayer[],
): Promise<SourceTensor[]> {
  const taken = new Set(planned.flatMap(({ layer }) => layerParts.map((part) => layer.name + part)));
  const useless = await uselessBiases(checkpoint, planned);
  return checkpointTensors(checkpoint).filter(({ name }) => !taken.has(name) && !useless.has(name));
}

/**
 * Quantizers gave each layer a bias, of zeros where the model has none. Those go, but for the layers that have a bias in
 * Qwen 2. What one layer of a model has, all have.
 */
async function uselessBiases(checkpoint: Checkpoint, planned: readonly PlannedLayer[]): Promise<Set<string>> {
  const isQwen2 = checkpoint.config.model_type === 'qwen2';
  const byPart = new Map<string, string[]>();
  for (const { layer } of planned) {
    const name = `${layer.name}.bias`;
    if (!checkpoint.tensors.has(name) || (isQwen2 && /\.[qkv]_proj$/.test(layer.name))) continue;
    const part = name.replace(/\.\d+\./g, '.N.');
    byPart.set(part, [...(byPart.get(part) ?? []), name]);
  }
  const useless = new Set<string>();
  for (const names of byPart.values()) {
    const areZero = await Promise.all(names.map((name) => isZero(checkpoint, name)));
    if (areZero.every(Boolean)) for (const name of names) useless.add(name);
  }
  return useless;
}

/** All bits but signs are zero. */
async function isZero(checkpoint: Checkpoint, name: string): Promise<boolean> {
  const { type } = checkpoint.tensor(name);
  const bytes = await checkpoint.read(name);
  const numberBytes = type === 'F32' ? 4 : 2;
  return bytes.every((byte, index) =>
    index % numberBytes === numberBytes - 1 ? (byte & 0x7f) === 0 : byte === 0,
  );
}

function resultOf({ layer, target, deviation }: PlannedLayer): GptqLayerResult {
  const { errorSquares, weightSquares } = deviation;
  return {
    name: layer.name,
    type: target.type,
    keepsNumbers: target.keepsNumbers,
    relativeError: weightSquares === 0 ? 0 : Math.sqrt(errorSquares / weightSquares),
    bitsPerWeight: (rowsByteSize(target.type, layer.inputs, 1) * 8) / layer.inputs,
  };
}

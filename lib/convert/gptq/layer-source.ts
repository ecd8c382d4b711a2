import { type TensorType, tensorTypeByName } from '../../gguf/tensor-types.js';
import { getAddon, type NativeGptqLayer } from '../../native/addon.js';
import { type Checkpoint, invalidCheckpoint } from '../checkpoint/index.js';
import { convertTensorRows, rowsByteSize } from '../tensors/convert-rows.js';
import type { SourceTensor } from '../tensors/source-tensor.js';
import type { LayerTarget } from './choose-type.js';
import type { GptqLayer } from './layer.js';
import type { ZeroFormat } from './settings.js';
import { unpackZeros } from './zeros.js';

/** Sums over the weights of a layer. */
export interface Deviation {
  /** Squares of what was written minus scale * (number - zero). */
  errorSquares: number;
  /** Squares of scale * (number - zero). */
  weightSquares: number;
}

/** A layer as a tensor to convert. Its weights are in memory from the first row that is read to the last one. */
export function layerSource(
  checkpoint: Checkpoint,
  layer: GptqLayer,
  format: ZeroFormat,
  target: LayerTarget,
  deviation: Deviation,
  threads: number,
): SourceTensor {
  const type = tensorTypeByName(target.type) as TensorType;
  const rowBytes = rowsByteSize(target.type, layer.inputs, 1);
  let loading: Promise<NativeGptqLayer> | undefined;
  return {
    name: `${layer.name}.weight`,
    shape: [layer.outputs, layer.inputs],
    type: target.type,
    async read(start, bytes) {
      loading ??= loadLayer(checkpoint, layer, format);
      const loaded = await loading;
      const [errorSquares, weightSquares] = await getAddon().convertGptqRows(
        loaded,
        type.id,
        start / rowBytes,
        bytes,
        threads,
      );
      deviation.errorSquares += errorSquares;
      deviation.weightSquares += weightSquares;
      if (start + bytes.byteLength === rowBytes * layer.outputs) loading = undefined;
    },
  };
}

async function loadLayer(
  checkpoint: Checkpoint,
  layer: GptqLayer,
  format: ZeroFormat,
): Promise<NativeGptqLayer> {
  const { bits, inputs, outputs, groups } = layer;
  const [weights, scaleBytes, zeroWords] = await Promise.all([
    readWords(checkpoint, layer.weights.name),
    checkpoint.read(layer.scales.name),
    readWords(checkpoint, layer.zeros.name),
  ]);
  const floats = await convertTensorRows(layer.scales.type, 'F32', scaleBytes, outputs);
  const scales = new Float32Array(floats.buffer, floats.byteOffset, floats.byteLength / 4);
  checkScales(checkpoint.folder, layer, scales);
  return { bits, inputs, outputs, groups, weights, scales, zeros: unpackZeros(zeroWords, bits, format) };
}

/** The words of a tensor of 32 bits. */
export async function readWords(checkpoint: Checkpoint, name: string): Promise<Uint32Array> {
  const { byteSize } = checkpoint.tensor(name);
  const words = new Uint32Array(byteSize / 4);
  await checkpoint.readInto(name, 0, new Uint8Array(words.buffer));
  return words;
}

/** Scale times zero must be a half, too. */
function checkScales(folder: string, { name, bits }: GptqLayer, scales: Float32Array): void {
  const largest = 65504 / 2 ** bits;
  const wrong = scales.findIndex((scale) => !(Math.abs(scale) <= largest));
  if (wrong === -1) return;
  throw invalidCheckpoint(
    folder,
    `expected scales of at most ${largest} in '${name}.scales', received ${scales[wrong]}. The checkpoint is damaged; ` +
      'download the safetensors files again.',
    { tensor: `${name}.scales` },
  );
}

import { architectureOf } from '../header-values.js';
import { Hyperparameters } from '../hyperparameters.js';
import type { GgufHeader, GgufTensorInfo } from '../types.js';

/** Bytes of weights, by where they are. */
export interface PlacedBytes {
  readonly host: number;
  readonly gpu: number;
}

/** Tensors that are looked up, not multiplied with: they stay on the host. Source: `LLM_TENSOR_LAYER_INPUT` in llama-arch.cpp. */
const inputTensors =
  /^(token_embd|position_embd|token_types|per_layer_token_embd|masked_embd_centroids|masked_embd_ordering)\.(weight|bias)$/;

/** The first layer on the GPU: layers are taken from the end, and the output counts as the one behind the last. */
export function firstLayerOnGpu(layers: number, gpuLayers: number): number {
  return Math.max(0, layers + 1 - gpuLayers);
}

/** Where the weights of a model's files are, as `llama_model_base::load_tensors` puts them there. */
export function placeWeights(headers: readonly GgufHeader[], layers: number, gpuLayers: number): PlacedBytes {
  const first = firstLayerOnGpu(layers, gpuLayers);
  const tensors = headers.flatMap((header) => header.tensors);
  let [host, gpu] = [0, 0];
  for (const tensor of tensors) {
    if (isOnGpu(tensor, layers, first)) gpu += tensor.byteSize;
    else host += tensor.byteSize;
  }
  const embeddings = tensors.find(({ name }) => name === 'token_embd.weight');
  const isShared = embeddings !== undefined && !tensors.some(({ name }) => name === 'output.weight');
  // Where the token embeddings are the output matrix too, the GPU gets a copy of them.
  if (isShared && first <= layers && gpuLayers > 0) gpu += embeddings.byteSize;
  return { host, gpu };
}

function isOnGpu({ name }: GgufTensorInfo, layers: number, first: number): boolean {
  if (inputTensors.test(name)) return false;
  const layer = /^blk\.(\d+)\./.exec(name)?.[1];
  return (layer === undefined ? layers : Number(layer)) >= first;
}

/** Layers of a model, those that predict further tokens included. */
export function layerCountOf(header: GgufHeader): number {
  return new Hyperparameters(header, architectureOf(header) ?? '').count('block_count') ?? 0;
}

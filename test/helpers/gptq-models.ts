import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type SmallCheckpoint, smallCheckpoints } from './checkpoint-families.js';
import { randomTensor } from './checkpoint-weights.js';
import type { BothForms } from './gguf-to-checkpoint.js';
import { type GptqLayout, quantizeConfig, quantizeLayer } from './gptq-writer.js';
import { decodeHalf } from './half.js';
import { type TensorToWrite, writeShards } from './safetensors.js';

/** Where a checkpoint says how it was quantized. */
export type SettingsPlace = 'config.json' | 'quantize_config.json';

/** One of the small checkpoints by its name. */
export function smallCheckpoint(name: string): SmallCheckpoint {
  const found = smallCheckpoints.find((checkpoint) => checkpoint.name === name);
  if (found === undefined) throw new Error(`no small checkpoint ${name}`);
  return found;
}

/** The tensors of a checkpoint with its linear layers quantized, and the same dequantized in F32. */
export function quantizeTensors(tensors: readonly TensorToWrite[], layout: GptqLayout) {
  const quantized: TensorToWrite[] = [];
  const dequantized: TensorToWrite[] = [];
  for (const tensor of tensors) {
    const { name, shape } = tensor;
    const [outputs = 1, inputs] = shape;
    if (!name.endsWith('_proj.weight') || inputs === undefined) {
      quantized.push(tensor);
      dequantized.push({ ...tensor, type: 'F32', bytes: bytesOf(valuesOf(tensor)) });
      continue;
    }
    const layer = quantizeLayer(name.replace(/\.weight$/, ''), valuesOf(tensor), outputs, inputs, layout);
    quantized.push(...layer.tensors);
    dequantized.push({ ...tensor, type: 'F32', bytes: bytesOf(Float32Array.from(layer.weights)) });
  }
  return { quantized, dequantized };
}

/** {@link quantizeTensors} of a small checkpoint. */
export function quantizedTensors(checkpoint: SmallCheckpoint, layout: GptqLayout) {
  const tensors = Object.entries(checkpoint.shapes).map(([name, shape]) =>
    randomTensor(name, shape, checkpoint.type),
  );
  return quantizeTensors(tensors, layout);
}

/** Writes a small checkpoint with other tensors. */
export async function writeCheckpoint(
  folder: string,
  checkpoint: Pick<SmallCheckpoint, 'config' | 'tokenizer' | 'shardCount'>,
  tensors: readonly TensorToWrite[],
  settings?: { place: SettingsPlace; values: Readonly<Record<string, unknown>> },
): Promise<void> {
  await writeShards(folder, tensors, checkpoint.shardCount);
  const isInside = settings?.place === 'config.json';
  const files: Record<string, unknown> = {
    ...checkpoint.tokenizer,
    'config.json': { ...checkpoint.config, ...(isInside ? { quantization_config: settings.values } : {}) },
  };
  if (settings?.place === 'quantize_config.json') files['quantize_config.json'] = settings.values;
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    const isText = typeof content === 'string' || content instanceof Uint8Array;
    await writeFile(join(folder, name), isText ? content : JSON.stringify(content));
  }
}

/** Writes a checkpoint in a layout, and beside it the same dequantized. */
export async function writeQuantizedModel(
  parent: string,
  name: string,
  layout: GptqLayout,
  place: SettingsPlace = 'config.json',
): Promise<{ folder: string; reference: string }> {
  const checkpoint = smallCheckpoint(name);
  const { quantized, dequantized } = quantizedTensors(checkpoint, layout);
  const folder = join(parent, name);
  const reference = join(parent, 'reference', name);
  await writeCheckpoint(folder, checkpoint, quantized, { place, values: quantizeConfig(layout) });
  await writeCheckpoint(reference, checkpoint, dequantized);
  return { folder, reference };
}

/** Writes the first layers of a Llama model as a checkpoint in a layout, and beside it the same dequantized. */
export async function writeQuantizedLayers(
  { tensors, files }: BothForms,
  parent: string,
  layout: GptqLayout,
): Promise<{ folder: string; reference: string }> {
  const { quantized, dequantized } = quantizeTensors(tensors, layout);
  const checkpoint = { config: files['config.json'] ?? {}, tokenizer: files, shardCount: 1 };
  const folder = join(parent, 'quantized');
  const reference = join(parent, 'reference');
  const settings = { place: 'config.json', values: quantizeConfig(layout) } as const;
  await writeCheckpoint(folder, checkpoint, quantized, settings);
  await writeCheckpoint(reference, checkpoint, dequantized);
  return { folder, reference };
}

function valuesOf({ type, bytes }: TensorToWrite): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === 'F32')
    return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
  const halves = Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(i * 2, true));
  if (type === 'F16') return Float32Array.from(halves, decodeHalf);
  return new Float32Array(Uint32Array.from(halves, (half) => half * 65536).buffer);
}

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

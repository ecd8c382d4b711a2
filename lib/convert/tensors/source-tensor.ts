import { type Checkpoint, type CheckpointTensor, unsupportedCheckpoint } from '../checkpoint/index.js';
import type { GptqLayerResult } from '../gptq/types.js';

/**
 * A tensor to convert. Usually one of the checkpoint; something that reads other forms of weights, such as GPTQ, can
 * supply its own, also with blocks that are ready.
 */
export interface SourceTensor {
  /** As the model class of Transformers names it, such as `model.layers.0.mlp.up_proj.weight`. */
  readonly name: string;
  /** Elements along each dimension, slowest-changing first. */
  readonly shape: readonly number[];
  /** Name of a GGUF type: F32, F16 or BF16, or a type of blocks, which is then kept. */
  readonly type: string;
  /** Fills `target` with its bytes from `start` on. */
  read(start: number, target: Uint8Array): Promise<void>;
  /** Of a layer that was quantized: what became of it, once all of it was read. */
  readonly result?: () => GptqLayerResult;
}

const convertible = ['F32', 'F16', 'BF16'];

/** The tensors of a checkpoint, sorted by name as llama.cpp's converter has them. */
export function checkpointTensors(checkpoint: Checkpoint): SourceTensor[] {
  return [...checkpoint.tensors.values()]
    .sort((first, second) => (first.name < second.name ? -1 : 1))
    .map((tensor) => ({
      ...tensor,
      read: (start, target) => checkpoint.readInto(tensor.name, start, target),
    }));
}

/** Refuses numbers that are neither floats nor blocks. */
export function checkSourceType(
  { name, type }: Pick<CheckpointTensor, 'name'> & { type: string },
  folder: string,
): void {
  if (convertible.includes(type) || type.startsWith('Q') || type.startsWith('IQ')) return;
  throw unsupportedCheckpoint(
    folder,
    `expected ${convertible.join(', ')} as type of '${name}', received ${type}. Checkpoints that are quantized are ` +
      'converted from their original instead.',
    { tensor: name, type },
  );
}

import { ModelConfig } from '../config/model-config.js';
import type { ModelDescription } from '../config/read-config.js';
import type { ComputedTensor } from './layout.js';

/** Numbers of PyTorch's F32 tensors are rounded after each step. */
const single = Math.fround;

/**
 * How much slower each frequency turns in Llama 3.1 and later: not at all for short waves, by a factor for long ones,
 * and something between for those between. Source: `LlamaModel.generate_extra_tensors` in conversion/llama.py.
 */
export function llama3RopeFactors(model: ModelDescription, rotaryLength: number): readonly ComputedTensor[] {
  const { folder } = model.config;
  const rope = new ModelConfig(folder, model.rope.full);
  if (rope.text('rope_type')?.toLowerCase() !== 'llama3') return [];
  const base = rope.number('rope_theta') ?? 10_000;
  const factor = rope.number('factor') ?? 8;
  const lowFactor = rope.number('low_freq_factor') ?? 1;
  const highFactor = rope.number('high_freq_factor') ?? 4;
  const oldLength = rope.number('original_max_position_embeddings') ?? 8192;
  const values = Float32Array.from({ length: Math.ceil(rotaryLength / 2) }, (_, index) => {
    const frequency = single(1 / single(base ** single((2 * index) / rotaryLength)));
    const wavelength = single(single(2 * Math.PI) / frequency);
    if (wavelength < oldLength / highFactor) return 1;
    if (wavelength > oldLength / lowFactor) return factor;
    const smooth = single(single(single(oldLength / wavelength) - lowFactor) / (highFactor - lowFactor));
    return single(1 / single(single(single(1 - smooth) / factor) + smooth));
  });
  return [{ name: 'rope_freqs.weight', values }];
}

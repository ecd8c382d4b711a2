import type { QuantizeProgress } from '../../index.js';
import type { Channel } from './channel.js';
import { createStepDisplay } from './step-display.js';

/** Shows which tensor is quantized, and how far all are. */
export interface QuantizeDisplay {
  update(progress: QuantizeProgress): void;
  /** Removes the bar; called also after a failure. */
  finish(): void;
}

/** Text at the end of the bar: `12/272 blk.0.attn_k.weight F16 → Q4_K`. */
export function describeTensor({ index, count, tensor, sourceType, type }: QuantizeProgress): string {
  const change = sourceType === type ? `${type}, kept` : `${sourceType} → ${type}`;
  return `${index}/${count} ${tensor} ${change}`;
}

/** A bar on a terminal, nothing elsewhere. */
export async function createQuantizeDisplay(channel: Channel): Promise<QuantizeDisplay> {
  const steps = await createStepDisplay(channel);
  return {
    update: (progress) => steps.update('Quantizing', progress.fraction, describeTensor(progress)),
    finish: () => steps.finish(),
  };
}

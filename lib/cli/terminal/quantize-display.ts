import type { QuantizeProgress } from '../../index.js';
import type { Channel } from './channel.js';

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
  if (!channel.isTerminal) return { update() {}, finish() {} };
  const { default: cliProgress } = await import('cli-progress');
  let bar: InstanceType<typeof cliProgress.SingleBar> | undefined;
  const start = () => {
    const started = new cliProgress.SingleBar({
      stream: channel.stream,
      format: '{bar} {percentage}% {detail}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 16,
      clearOnComplete: true,
      hideCursor: null,
      gracefulExit: false,
    });
    started.start(1, 0, { detail: '' });
    return started;
  };
  return {
    update(progress) {
      bar ??= start();
      bar.update(progress.fraction, { detail: describeTensor(progress) });
    },
    finish() {
      bar?.stop();
      bar = undefined;
    },
  };
}

import type { ConvertProgress } from '../../index.js';
import type { Channel } from './channel.js';
import { formatBytes } from './format.js';
import { createProgressDisplay } from './progress-display.js';

/** Shows how far a conversion is. */
export interface ConvertDisplay {
  update(progress: ConvertProgress): void;
  /** Removes the bar; called also after a failure. */
  finish(): void;
}

/** Text at the end of the bar: `12 of 291 · 1.2 GB of 14.5 GB · blk.0.attn_q.weight`. */
export function describeConversion(progress: Extract<ConvertProgress, { stage: 'convert' }>): string {
  const { tensorNumber, tensorCount, writtenBytes, totalBytes, tensor } = progress;
  const bytes = `${formatBytes(writtenBytes)} of ${formatBytes(totalBytes)}`;
  return `${tensorNumber} of ${tensorCount} · ${bytes} · ${tensor}`;
}

/** A bar on a terminal, after those of a download; nothing elsewhere. */
export async function createConvertDisplay(channel: Channel): Promise<ConvertDisplay> {
  if (!channel.isTerminal) return { update() {}, finish() {} };
  const download = await createProgressDisplay(channel);
  const { default: cliProgress } = await import('cli-progress');
  let bar: InstanceType<typeof cliProgress.SingleBar> | undefined;
  const start = () => {
    download.finish();
    const created = new cliProgress.SingleBar({
      stream: channel.stream,
      format: 'Converting {bar} {percentage}% {detail}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      clearOnComplete: true,
      hideCursor: null,
      gracefulExit: false,
    });
    created.start(1, 0, { detail: '' });
    return created;
  };
  return {
    update(progress) {
      if (progress.stage === 'download') {
        download.update(progress);
        return;
      }
      bar ??= start();
      const fraction = progress.totalBytes > 0 ? progress.writtenBytes / progress.totalBytes : 0;
      bar.update(fraction, { detail: describeConversion(progress) });
    },
    finish() {
      download.finish();
      bar?.stop();
      bar = undefined;
    },
  };
}

import type { ConvertProgress } from '../../index.js';
import type { Channel } from './channel.js';
import { createProgressDisplay, describeConversion } from './progress-display.js';

export { describeConversion };

/** Shows how far a conversion is. */
export interface ConvertDisplay {
  update(progress: ConvertProgress): void;
  /** Removes the bar; called also after a failure. */
  finish(): void;
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

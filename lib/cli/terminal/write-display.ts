import type { GgufWriteProgress } from '../../index.js';
import type { Channel } from './channel.js';
import { formatBytes } from './format.js';

/** Shows how far the writing of files is: a bar on a terminal, nothing elsewhere. */
export async function createWriteDisplay(channel: Channel) {
  if (!channel.isTerminal) return { update() {}, finish() {} };
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    stream: channel.stream,
    format: 'Writing {bar} {percentage}% {detail}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    clearOnComplete: true,
    hideCursor: null,
    gracefulExit: false,
  });
  bar.start(1, 0, { detail: '' });
  return {
    update({ writtenBytes, totalBytes }: GgufWriteProgress) {
      const detail = `${formatBytes(writtenBytes)} of ${formatBytes(totalBytes)}`;
      bar.update(totalBytes === 0 ? 1 : writtenBytes / totalBytes, { detail });
    },
    finish() {
      bar.stop();
    },
  };
}

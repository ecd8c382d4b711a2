import type { GgufWriteProgress } from '../../index.js';
import type { Channel } from './channel.js';
import { formatBytes } from './format.js';
import { createStepDisplay } from './step-display.js';

/** Shows how far the writing of files is: a bar on a terminal, nothing elsewhere. */
export async function createWriteDisplay(channel: Channel) {
  const steps = await createStepDisplay(channel);
  return {
    update({ writtenBytes, totalBytes }: GgufWriteProgress) {
      const detail = `${formatBytes(writtenBytes)} of ${formatBytes(totalBytes)}`;
      steps.update('Writing', totalBytes === 0 ? 1 : writtenBytes / totalBytes, detail);
    },
    finish: () => steps.finish(),
  };
}

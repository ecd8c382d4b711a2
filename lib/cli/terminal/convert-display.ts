import type { ConvertProgress } from '../../index.js';
import type { Channel } from './channel.js';
import { createProgressDisplay, describeConversion } from './progress-display.js';
import { createStepDisplay } from './step-display.js';

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
  const steps = await createStepDisplay(channel);
  return {
    update(progress) {
      if (progress.stage === 'download') {
        download.update(progress);
        return;
      }
      download.finish();
      const fraction = progress.totalBytes > 0 ? progress.writtenBytes / progress.totalBytes : 0;
      steps.update('Converting', fraction, describeConversion(progress));
    },
    finish() {
      download.finish();
      steps.finish();
    },
  };
}

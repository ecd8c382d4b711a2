import type { Channel } from './channel.js';

/** A bar for work with a title that changes. */
export interface StepDisplay {
  /** `fraction` from 0 to 1; `detail` goes behind the bar. */
  update(title: string, fraction: number, detail: string): void;
  /** Removes the bar; called also after a failure. */
  finish(): void;
}

/** A bar on a terminal, nothing elsewhere. */
export async function createStepDisplay(channel: Channel): Promise<StepDisplay> {
  if (!channel.isTerminal) return { update() {}, finish() {} };
  const { default: cliProgress } = await import('cli-progress');
  let bar: InstanceType<typeof cliProgress.SingleBar> | undefined;
  const start = () => {
    const started = new cliProgress.SingleBar({
      stream: channel.stream,
      format: '{title} {bar} {percentage}% {detail}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 16,
      clearOnComplete: true,
      hideCursor: null,
      gracefulExit: false,
    });
    started.start(1, 0, { title: '', detail: '' });
    return started;
  };
  return {
    update(title, fraction, detail) {
      bar ??= start();
      bar.update(fraction, { title, detail });
    },
    finish() {
      bar?.stop();
      bar = undefined;
    },
  };
}

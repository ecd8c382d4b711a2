import type { Channel } from './channel.js';

/** Shows how far a build is. */
export interface BuildDisplay {
  /** Takes output of the build as it comes, in pieces of any length. */
  readonly write: (text: string) => void;
  /** Removes the bar. May be called twice. */
  finish(): void;
}

/** How far a build is, from 0 to 1, read from a line of Ninja (`[12/345] …`) or make (`[ 45%] …`). */
export function readBuildFraction(line: string): number | undefined {
  const steps = /^\[(\d+)\/(\d+)\]/.exec(line);
  if (steps !== null) {
    const total = Number(steps[2]);
    return total > 0 ? Number(steps[1]) / total : undefined;
  }
  const percentage = /^\[\s*(\d+)%\]/.exec(line);
  return percentage === null ? undefined : Number(percentage[1]) / 100;
}

/** A bar on a terminal, all output where that is asked for, otherwise nothing. */
export async function createBuildDisplay(channel: Channel, isVerbose: boolean): Promise<BuildDisplay> {
  if (isVerbose) {
    return { write: (text) => channel.write(text), finish() {} };
  }
  if (!channel.isTerminal) {
    return { write() {}, finish() {} };
  }
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    stream: channel.stream,
    format: '{step} {bar} {percentage}% {duration_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    clearOnComplete: true,
    hideCursor: null,
    gracefulExit: false,
  });
  bar.start(1, 0, { step: 'Configuring' });
  let unfinishedLine = '';
  return {
    write(text) {
      const lines = (unfinishedLine + text).split('\n');
      unfinishedLine = lines.pop() ?? '';
      const fraction = lines.map(readBuildFraction).findLast((value) => value !== undefined);
      if (fraction !== undefined) {
        bar.update(fraction, { step: 'Compiling' });
      }
    },
    finish: () => bar.stop(),
  };
}

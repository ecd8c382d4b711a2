import type { LoadProgress } from '../../index.js';
import type { Channel } from './channel.js';
import { formatBytes, formatClock } from './format.js';

/** Shows how far a download and a load are. */
export interface ProgressDisplay {
  update(progress: LoadProgress): void;
  /** Removes the bar; called also after a failure. */
  finish(): void;
}

/** Text of a download at the end of its bar: `12.3 MB of 105.5 MB · 8.1 MB/s · 0:12 left`. */
export function describeDownload(progress: Extract<LoadProgress, { stage: 'download' }>): string {
  const { downloadedBytes, totalBytes, bytesPerSecond } = progress;
  const parts = [`${formatBytes(downloadedBytes)} of ${formatBytes(totalBytes)}`];
  if (bytesPerSecond > 0) {
    parts.push(`${formatBytes(bytesPerSecond)}/s`);
    parts.push(`${formatClock((totalBytes - downloadedBytes) / bytesPerSecond)} left`);
  }
  return parts.join(' · ');
}

/** `Downloading model-00002-of-00003.gguf (2 of 3, 9.9 GB in all)` */
function announce(progress: Extract<LoadProgress, { stage: 'download' }>): string {
  const { file, overall, downloadedBytes, totalBytes: fileBytes } = progress;
  if (overall === undefined) return `Downloading ${file}`;
  const { fileCount, completedFiles, totalBytes } = overall;
  // A file that was there already is told of when it is complete.
  const place = downloadedBytes === fileBytes ? completedFiles : completedFiles + 1;
  return `Downloading ${file} (${place} of ${fileCount}, ${formatBytes(totalBytes)} in all)`;
}

/** Text at the end of the bar: `12 of 291 · 1.2 GB of 14.5 GB · blk.0.attn_q.weight`. */
export function describeConversion(progress: Extract<LoadProgress, { stage: 'convert' }>): string {
  const { tensorNumber, tensorCount, writtenBytes, totalBytes, tensor } = progress;
  const bytes = `${formatBytes(writtenBytes)} of ${formatBytes(totalBytes)}`;
  return `${tensorNumber} of ${tensorCount} · ${bytes} · ${tensor}`;
}

function detailOf(progress: LoadProgress): string {
  if (progress.stage === 'load') return '';
  return progress.stage === 'convert' ? describeConversion(progress) : describeDownload(progress);
}

function subjectOf(progress: LoadProgress): string {
  return progress.stage === 'download' ? `download ${progress.file}` : progress.stage;
}

function fractionOf(progress: LoadProgress): number {
  if (progress.stage === 'load') {
    return progress.fraction;
  }
  if (progress.stage === 'convert') {
    return progress.totalBytes > 0 ? progress.writtenBytes / progress.totalBytes : 0;
  }
  return progress.totalBytes > 0 ? progress.downloadedBytes / progress.totalBytes : 0;
}

function titleOf(progress: LoadProgress): string {
  return { load: 'Loading', convert: 'Converting', download: 'Downloading' }[progress.stage];
}

/**
 * Bars on a terminal, nothing elsewhere. A download is first announced with the name of its file, which would not fit
 * beside the bar.
 */
export async function createProgressDisplay(channel: Channel): Promise<ProgressDisplay> {
  if (!channel.isTerminal) {
    return { update() {}, finish() {} };
  }
  const { default: cliProgress } = await import('cli-progress');
  let bar: InstanceType<typeof cliProgress.SingleBar> | undefined;
  let current: string | undefined;

  const finish = () => {
    bar?.stop();
    bar = undefined;
    current = undefined;
  };
  const start = (progress: LoadProgress) => {
    if (progress.stage === 'download') {
      channel.write(`${channel.colours.dim(announce(progress))}\n`);
    }
    if (progress.stage === 'convert') {
      channel.write(
        `${channel.colours.dim('Converting the checkpoint to GGUF, once; the next time it is loaded at once')}\n`,
      );
    }
    bar = new cliProgress.SingleBar({
      stream: channel.stream,
      format: `${titleOf(progress)} {bar} {percentage}% {detail}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      // So wide that figures of any size fit beside it on 80 columns.
      barsize: 14,
      clearOnComplete: true,
      hideCursor: null,
      gracefulExit: false,
    });
    bar.start(1, 0, { detail: '' });
  };

  return {
    update(progress) {
      const subject = subjectOf(progress);
      if (subject !== current) {
        finish();
        start(progress);
        current = subject;
      }
      bar?.update(fractionOf(progress), { detail: detailOf(progress) });
    },
    finish,
  };
}

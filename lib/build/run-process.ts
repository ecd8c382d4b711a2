import { type ChildProcess, spawn } from 'node:child_process';
import { createError } from '../errors.js';

/** How to run a program, and what to do with what it says. */
export interface RunOptions {
  readonly workingDirectory: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Receives what the program writes, standard output and error together, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Ends the program and everything it started. */
  readonly signal?: AbortSignal;
}

/** How a program ended: its exit code (null when a signal ended it) and all it wrote. */
export interface ProcessResult {
  readonly exitCode: number | null;
  readonly output: string;
}

/** Compilers run as grandchildren, so the whole group has to end. */
function endProcessTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  if (process.platform === 'win32') {
    spawn('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore' });
    return;
  }
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    child.kill('SIGTERM');
  }
}

/**
 * Runs a program to its end.
 *
 * @throws `ABORTED` when the signal fired; the operating system's own error when the program could not be started.
 */
export async function runProcess(
  program: string,
  programArguments: readonly string[],
  options: RunOptions,
): Promise<ProcessResult> {
  const { signal, onOutput } = options;
  const aborted = (): Error =>
    createError('ABORTED', `Running ${program} was cancelled.`, { cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  const child = spawn(program, programArguments, {
    cwd: options.workingDirectory,
    env: options.environment ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Without a signal Ctrl-C reaches the compilers by itself, as members of the terminal's foreground group.
    detached: signal !== undefined && process.platform !== 'win32',
    windowsHide: true,
  });
  const end = (): void => endProcessTree(child);
  signal?.addEventListener('abort', end, { once: true });
  process.once('exit', end);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
      onOutput?.(text);
    });
  }
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (signal?.aborted) throw aborted();
    return { exitCode, output };
  } finally {
    signal?.removeEventListener('abort', end);
    process.removeListener('exit', end);
  }
}

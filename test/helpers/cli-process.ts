import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withoutControlSequences } from './cli-context.js';

const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));

function programPath(): string {
  if (!existsSync(program)) {
    throw new Error(`The command line is not compiled: ${program} is missing. Run: npm run compile:library`);
  }
  return program;
}

/** How a run of the command line ended. */
export interface ProcessOutcome {
  readonly exitCode: number | null;
  readonly output: string;
  readonly notes: string;
}

export interface ProcessOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called when the first text was written to stdout. */
  readonly onFirstOutput?: (child: ChildProcess) => void;
}

/** Runs the compiled command line to its end, with pipes for everything. */
export async function runProcess(
  programArguments: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessOutcome> {
  const child = spawn(process.execPath, [programPath(), ...programArguments], {
    env: { ...process.env, ...options.environment },
  });
  let output = '';
  let notes = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    notes += text;
  });
  child.stdout.once('data', () => options.onFirstOutput?.(child));
  child.stdin.end(options.input ?? '');
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { exitCode, output, notes };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Runs a line of shell in which `llama-native` is the compiled command line. */
export async function runShell(line: string): Promise<ProcessOutcome> {
  const command = `llama-native() { ${quote(process.execPath)} ${quote(programPath())} "$@"; }\n${line}`;
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let notes = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    notes += text;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { exitCode, output, notes };
}

/** The command line in a pseudo-terminal, made by the system's `script` program. */
export class TerminalSession {
  readonly #child: ChildProcess;
  #raw = '';
  readonly exitCode: Promise<number | null>;

  constructor(programArguments: readonly string[]) {
    const words = [process.execPath, programPath(), ...programArguments].map(quote).join(' ');
    const command = `stty cols 80 rows 24; exec ${words}`;
    const script =
      process.platform === 'darwin'
        ? ['-q', '/dev/null', 'bash', '-c', command]
        : ['-q', '-e', '-f', '-c', command, '/dev/null'];
    this.#child = spawn('script', script, { env: { ...process.env, TERM: 'xterm', SHELL: '/bin/bash' } });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#raw += text;
    });
    this.exitCode = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** All that was shown so far, without colours and cursor movements. */
  get screen(): string {
    return withoutControlSequences(this.#raw).replaceAll('\r', '');
  }

  /** Presses keys. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Ends the session whatever it is doing. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

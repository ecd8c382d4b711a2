import type { Readable } from 'node:stream';
import type { Library } from './library.js';
import type { Channel } from './terminal/channel.js';
import type { Interrupts } from './terminal/interrupts.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** An input stream that may be a terminal. */
export type Input = Readable & { readonly isTTY?: boolean };

/** Everything a command touches outside itself. */
export interface CommandContext {
  readonly input: Input;
  /** Answers and results: what a pipe should receive. */
  readonly output: Channel;
  /** Everything else: progress, notes, statistics, errors. */
  readonly notes: Channel;
  readonly environment: Environment;
  readonly interrupts: Interrupts;
  loadLibrary(): Promise<Library>;
  /** Set by a command that did its work but has bad news; 0 otherwise. */
  exitCode: number;
}

/** Exit codes, as `--help` lists them. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** Writes one JSON value to the output, indented for people unless it is one of many lines. */
export function writeJson(context: CommandContext, value: unknown, indentation = 2): void {
  context.output.write(`${JSON.stringify(value, null, indentation)}\n`);
}

/** Says something beside the result, on stderr. */
export function writeNote(context: CommandContext, text: string): void {
  context.notes.write(`${context.notes.colours.dim(text)}\n`);
}

/** Says something that is likely to matter, on stderr. */
export function writeWarning(context: CommandContext, text: string): void {
  context.notes.write(`${context.notes.colours.yellow('warning:')} ${text}\n`);
}

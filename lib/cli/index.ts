#!/usr/bin/env node
import { type CommandContext, exitCodes } from './context.js';
import { loadLibrary } from './library.js';
import { runCommandLine } from './program.js';
import { createChannel } from './terminal/channel.js';
import { Interrupts } from './terminal/interrupts.js';

const interrupts = new Interrupts(() => process.exit(exitCodes.interrupted));
process.on('SIGINT', () => interrupts.raise());
// What service managers and containers send; a command that was cancelled ends by itself.
process.on('SIGTERM', () => interrupts.raise());

// The reader of a pipe, such as `head`, has seen enough: a normal end, not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && !interrupts.isOutputClosed) {
    throw error;
  }
  interrupts.closeOutput();
});
// Nobody is left to be told.
process.stderr.on('error', () => {});

const context: CommandContext = {
  input: process.stdin,
  output: createChannel(process.stdout, process.env),
  notes: createChannel(process.stderr, process.env),
  environment: process.env,
  interrupts,
  loadLibrary,
  exitCode: exitCodes.ok,
};

process.exitCode = await runCommandLine(process.argv.slice(2), context);

import { addAbortSignal } from 'node:stream';
import type { CommandContext } from '../context.js';
import { UsageError } from '../failures.js';

const noticeDelayMs = 2000;

/** Text that is piped in, without its last line break; undefined where the input is a terminal. */
export async function readPipedText(
  context: Pick<CommandContext, 'input' | 'notes' | 'interrupts'>,
): Promise<string | undefined> {
  if (context.input.isTTY === true) {
    return undefined;
  }
  // A pipe that nobody writes to and nobody closes looks like a hang; say what is going on.
  const notice = setTimeout(() => {
    if (context.notes.isTerminal) {
      context.notes.write('Waiting for the end of the text on stdin.\n');
    }
  }, noticeDelayMs);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of addAbortSignal(context.interrupts.signal, context.input)) {
      chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    }
  } finally {
    clearTimeout(notice);
  }
  return decode(Buffer.concat(chunks));
}

function decode(bytes: Buffer): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError('Expected text in UTF-8 on stdin but received other bytes.');
  }
  if (text.includes('\0')) {
    throw new UsageError('Expected text on stdin but received binary data.');
  }
  return text.replace(/\r?\n$/, '');
}

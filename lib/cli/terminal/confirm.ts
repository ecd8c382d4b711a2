import type { CommandContext } from '../context.js';

/** Asks a question on the terminal; anything but yes, Ctrl-C and Ctrl-D included, is no. */
export async function confirm(
  context: Pick<CommandContext, 'input' | 'notes' | 'interrupts'>,
  question: string,
): Promise<boolean> {
  const { LineReader } = await import('./line-reader.js');
  const reader = new LineReader({ input: context.input, output: context.notes.stream, isInteractive: true });
  const release = context.interrupts.handle(() => reader.interrupt());
  try {
    const event = await reader.next(question);
    if (event.kind === 'end') {
      context.notes.write('\n');
    }
    return event.kind === 'line' && /^y(es)?$/i.test(event.text.trim());
  } finally {
    release();
    reader.close();
  }
}

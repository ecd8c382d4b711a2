import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createChannel } from '../../lib/cli/terminal/channel.js';
import { streamAnswer } from '../../lib/cli/terminal/stream-answer.js';
import type { ChatPart } from '../../lib/index.js';

const parts: readonly ChatPart[] = [
  { type: 'reasoning', text: 'Let me ' },
  { type: 'reasoning', text: 'think.' },
  { type: 'tool-call', id: 'a', name: 'f', argumentsText: '{}', complete: true, arguments: {} },
  { type: 'text', text: 'Four' },
  { type: 'text', text: '.' },
];

async function show(isTerminal: boolean): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY: isTerminal });
  const channel = createChannel(stream, { FORCE_COLOR: '1' });
  async function* iterate() {
    yield* parts;
  }
  const result = Promise.resolve({ text: 'Four.', finishReason: 'stop' } as never);
  await streamAnswer({ result, [Symbol.asyncIterator]: iterate }, channel);
  return String(stream.read());
}

describe('the answer of a thinking model', () => {
  it('is shown behind its dimmed thoughts on a terminal', async () => {
    const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;
    expect(await show(true)).toBe(`${dim('Let me ')}${dim('think.')}\n\nFour.\n`);
  });

  it('goes alone into a pipe', async () => {
    expect(await show(false)).toBe('Four.\n');
  });
});

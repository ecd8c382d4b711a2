import { describe, expect, it } from 'vitest';
import { parseSlashCommand } from '../../lib/cli/chat/slash-commands.js';
import { MessageAssembler } from '../../lib/cli/terminal/message-assembler.js';

/** The messages that come out of lines, and what is left open. */
function assemble(...lines: string[]): { messages: string[]; left: string | undefined } {
  const assembler = new MessageAssembler();
  const messages = lines.flatMap((line) => {
    const assembled = assembler.push(line);
    return assembled.kind === 'message' ? [assembled.text] : [];
  });
  return { messages, left: assembler.end() };
}

describe('putting lines together to messages', () => {
  it('takes a line as a message', () => {
    expect(assemble('one', '', 'two')).toEqual({ messages: ['one', '', 'two'], left: undefined });
  });

  it('goes on after a backslash at the end', () => {
    expect(assemble('one\\', 'two\\', 'three', 'four').messages).toEqual(['one\ntwo\nthree', 'four']);
  });

  it('leaves an even number of backslashes as text', () => {
    expect(assemble('C:\\\\', 'x').messages).toEqual(['C:\\\\', 'x']);
  });

  it('keeps a block between triple quotes as it is, blank lines and backslashes included', () => {
    expect(assemble('"""', 'one\\', '', '  two', '"""', 'after').messages).toEqual([
      'one\\\n\n  two',
      'after',
    ]);
  });

  it('lets a block begin and end beside its text', () => {
    expect(assemble('"""one', 'two"""').messages).toEqual(['one\ntwo']);
    expect(assemble('"""one"""').messages).toEqual(['one']);
  });

  it('takes an empty block as an empty message', () => {
    expect(assemble('"""', '"""').messages).toEqual(['']);
    expect(assemble('""""""').messages).toEqual(['']);
  });

  it('does not end a block at its own opening quotes', () => {
    expect(assemble('"""', 'text').left).toBe('text');
  });

  it('gives what was begun when the input ends', () => {
    expect(assemble('one\\')).toEqual({ messages: [], left: 'one' });
  });

  it('forgets what was begun when it is reset', () => {
    const assembler = new MessageAssembler();
    assembler.push('"""');
    assembler.push('secret');
    assembler.reset();
    expect(assembler.isOpen).toBe(false);
    expect(assembler.push('fresh')).toEqual({ kind: 'message', text: 'fresh' });
  });
});

describe('reading commands of the chat', () => {
  it.each([
    ['/help', { name: 'help', argument: '' }],
    ['/system  Be brief. ', { name: 'system', argument: 'Be brief.' }],
    ['/system one\ntwo', { name: 'system', argument: 'one\ntwo' }],
    ['/', { name: '', argument: '' }],
  ])('reads %j', (text, command) => {
    expect(parseSlashCommand(text)).toEqual(command);
  });

  it.each(['hello', ' /help', 'either/or'])('takes %j as text', (text) => {
    expect(parseSlashCommand(text)).toBeUndefined();
  });
});

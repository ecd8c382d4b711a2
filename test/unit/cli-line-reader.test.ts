import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type InputEvent, LineReader } from '../../lib/cli/terminal/line-reader.js';
import { Keyboard, keys, RecordingStream, withoutControlSequences } from '../helpers/cli-context.js';

describe('reading lines from a terminal', () => {
  let keyboard: Keyboard;
  let screen: RecordingStream;
  let reader: LineReader;

  beforeEach(() => {
    keyboard = new Keyboard();
    screen = new RecordingStream(true);
    reader = new LineReader({
      input: keyboard,
      output: screen,
      isInteractive: true,
      completions: ['/help', '/history'],
    });
  });
  afterEach(() => reader.close());

  /** Types at the prompt and returns what was read. */
  async function read(text: string): Promise<InputEvent> {
    const event = reader.next('> ', '… ');
    await keyboard.type(text);
    return event;
  }

  it('gives the line that was typed', async () => {
    expect(await read(`hello${keys.enter}`)).toEqual({ kind: 'line', text: 'hello' });
    expect(withoutControlSequences(screen.text)).toContain('> hello');
  });

  it('deletes a whole Chinese character with one backspace', async () => {
    expect(await read(`你好吗${keys.backspace}。${keys.enter}`)).toEqual({ kind: 'line', text: '你好。' });
  });

  it('puts the cursor behind Chinese text by its width on the screen', async () => {
    const event = reader.next('> ');
    await keyboard.type('你好');
    await keyboard.type('\x1b[D');
    // Back over 好, which is two columns wide.
    expect(screen.text.endsWith('\x1b[2D') || screen.text.endsWith('\x1b[5G')).toBe(true);
    await keyboard.type(keys.enter);
    await event;
  });

  it('takes a character whose bytes come apart', async () => {
    const event = reader.next('> ');
    const bytes = Buffer.from('好');
    keyboard.write(bytes.subarray(0, 1));
    await keyboard.type('');
    keyboard.write(bytes.subarray(1));
    await keyboard.type(keys.enter);
    expect(await event).toEqual({ kind: 'line', text: '好' });
  });

  it('remembers earlier lines for the up key', async () => {
    await read(`first${keys.enter}`);
    expect(await read(`${keys.up}${keys.enter}`)).toEqual({ kind: 'line', text: 'first' });
  });

  it('completes commands with the tab key', async () => {
    const event = reader.next('> ');
    await keyboard.type('/he');
    await keyboard.type(keys.tab);
    await keyboard.type(keys.enter);
    expect(await event).toEqual({ kind: 'line', text: '/help' });
  });

  it('takes a pasted text with line breaks as one line', async () => {
    const pasted = `${keys.pasteStart}one\rtwo\rthree${keys.pasteEnd}`;
    expect(await read(`${pasted} end${keys.enter}`)).toEqual({ kind: 'line', text: 'one\ntwo\nthree end' });
    expect(withoutControlSequences(screen.text)).toContain('… three');
  });

  it('shows nothing that is typed between two prompts, and offers it at the next', async () => {
    await read(`first${keys.enter}`);
    const before = screen.text;
    await keyboard.type('ahead');
    expect(screen.text).toBe(before);
    expect(await read(`!${keys.enter}`)).toEqual({ kind: 'line', text: 'ahead!' });
  });

  it('keeps a whole line typed between two prompts, and shows it when it is read', async () => {
    await read(`first${keys.enter}`);
    await keyboard.type(`second${keys.enter}`);
    expect(await reader.next('> ')).toEqual({ kind: 'line', text: 'second' });
    expect(screen.text).toContain('> second\n');
  });

  it('reports Ctrl-C at the prompt and says whether text was lost', async () => {
    expect(await read(keys.controlC)).toEqual({ kind: 'interrupt', discardedText: false });
    expect(await read(`half${keys.controlC}`)).toEqual({ kind: 'interrupt', discardedText: true });
    expect(await read(`whole${keys.enter}`)).toEqual({ kind: 'line', text: 'whole' });
  });

  it('gives Ctrl-C between two prompts to its handler', async () => {
    let interrupts = 0;
    reader.onInterrupt = () => {
      interrupts += 1;
    };
    await keyboard.type(keys.controlC);
    expect(interrupts).toBe(1);
    expect(await read(`on${keys.enter}`)).toEqual({ kind: 'line', text: 'on' });
  });

  it('ends with Ctrl-D on an empty line', async () => {
    expect(await read(keys.controlD)).toEqual({ kind: 'end' });
  });

  it('asks for bracketed paste only while a prompt is open', async () => {
    await read(`x${keys.enter}`);
    expect(screen.text.lastIndexOf('\x1b[?2004l')).toBeGreaterThan(screen.text.lastIndexOf('\x1b[?2004h'));
  });
});

describe('reading lines from a pipe', () => {
  it('loses none of them, shows no prompt, and then ends', async () => {
    const keyboard = new Keyboard();
    const screen = new RecordingStream(false);
    const reader = new LineReader({ input: keyboard, output: screen, isInteractive: false });
    keyboard.end('one\ntwo\r\nthree 好');
    const events: InputEvent[] = [];
    for (let count = 0; count < 4; count += 1) {
      events.push(await reader.next('> '));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(events).toEqual([
      { kind: 'line', text: 'one' },
      { kind: 'line', text: 'two' },
      { kind: 'line', text: 'three 好' },
      { kind: 'end' },
    ]);
    expect(screen.text).toBe('');
  });
});

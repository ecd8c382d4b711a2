import { createInterface, type Interface, type Key } from 'node:readline';
import { PromptScreen } from './prompt-screen.js';

/** What came from the keyboard: a line, Ctrl-C, or the end of the input (Ctrl-D). */
export type InputEvent =
  | { readonly kind: 'line'; readonly text: string }
  | {
      readonly kind: 'interrupt';
      /** Whether text had been typed, which is now gone. */
      readonly discardedText: boolean;
    }
  | { readonly kind: 'end' };

export interface LineReaderOptions {
  readonly input: NodeJS.ReadableStream;
  /** Where the prompt is shown and the line is edited. */
  readonly output: NodeJS.WritableStream;
  /** Edit lines in a terminal; false reads plain lines and shows no prompt. */
  readonly isInteractive: boolean;
  /** Words that the tab key completes at the start of a line. */
  readonly completions?: readonly string[];
}

// Terminals bracket pasted text on request, so that a pasted paragraph is one message and not one per line.
// https://invisible-island.net/xterm/ctlseqs/ctlseqs.html#h2-Bracketed-Paste-Mode
const enableBracketedPaste = '\x1b[?2004h';
const disableBracketedPaste = '\x1b[?2004l';

/**
 * Reads lines one at a time. Between two reads nothing is echoed, and what is typed then waits in the line for the
 * next prompt.
 */
export class LineReader {
  readonly #isInteractive: boolean;
  readonly #screen: PromptScreen;
  readonly #interface: Interface;
  readonly #queue: InputEvent[] = [];
  #waiting: ((event: InputEvent) => void) | undefined;
  #isPasting = false;
  #pasted: string[] = [];
  #continuationPrompt = '';

  /** Called for Ctrl-C while no line is being read. */
  onInterrupt: (() => void) | undefined;

  constructor(options: LineReaderOptions) {
    this.#isInteractive = options.isInteractive;
    this.#screen = new PromptScreen(options.output);
    const completions = options.completions ?? [];
    this.#interface = createInterface({
      input: options.input,
      output: this.#screen,
      terminal: options.isInteractive,
      historySize: 500,
      removeHistoryDuplicates: true,
      completer: (line: string) => [completions.filter((word) => word.startsWith(line)), line],
    });
    this.#interface.on('line', (line) => this.#takeLine(line));
    this.#interface.on('SIGINT', () => this.interrupt());
    this.#interface.on('close', () => this.#deliver({ kind: 'end' }));
    if (options.isInteractive) {
      options.input.on('keypress', this.#watchPaste);
    }
  }

  /** Shows the prompt and waits for what comes. */
  async next(prompt: string, continuationPrompt = prompt): Promise<InputEvent> {
    const queued = this.#queue.shift();
    if (queued !== undefined) {
      if (queued.kind === 'line') {
        this.#echo(`${prompt}${queued.text}\n`);
      }
      return queued;
    }
    this.#continuationPrompt = continuationPrompt;
    const event = new Promise<InputEvent>((resolve) => {
      this.#waiting = resolve;
    });
    if (this.#isInteractive) {
      this.#openPrompt(prompt);
    }
    return event;
  }

  /** Ctrl-C that came as a signal instead of a key. */
  interrupt(): void {
    if (this.#waiting === undefined) {
      this.onInterrupt?.();
      return;
    }
    const discardedText = this.#interface.line !== '' || this.#pasted.length > 0;
    if (this.#isInteractive) {
      this.#interface.write(null, { ctrl: true, name: 'e' });
      this.#screen.write('\n');
      this.#screen.isMuted = true;
      this.#clearLine();
    }
    this.#pasted = [];
    this.#deliver({ kind: 'interrupt', discardedText });
  }

  /** Gives the terminal back. */
  close(): void {
    this.#interface.close();
    this.#screen.destroy();
  }

  readonly #watchPaste = (_text: string | undefined, key: Key): void => {
    if (key.name === 'paste-start') {
      this.#isPasting = true;
    } else if (key.name === 'paste-end') {
      this.#isPasting = false;
    }
  };

  #openPrompt(prompt: string): void {
    const typedAhead = this.#interface.line;
    this.#clearLine();
    this.#screen.isMuted = false;
    this.#screen.write(enableBracketedPaste);
    this.#interface.setPrompt(prompt);
    this.#interface.prompt();
    if (typedAhead !== '') {
      this.#interface.write(typedAhead);
    }
  }

  /** Empties the line while muted: the editor would otherwise count rows it never drew. */
  #clearLine(): void {
    this.#interface.write(null, { ctrl: true, name: 'e' });
    this.#interface.write(null, { ctrl: true, name: 'u' });
  }

  #takeLine(line: string): void {
    if (this.#isPasting) {
      this.#pasted.push(line);
      this.#interface.setPrompt(this.#continuationPrompt);
      this.#interface.prompt();
      return;
    }
    const text = [...this.#pasted, line].join('\n');
    this.#pasted = [];
    this.#deliver({ kind: 'line', text });
  }

  #deliver(event: InputEvent): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (this.#isInteractive && waiting !== undefined) {
      this.#echo(disableBracketedPaste);
      this.#screen.isMuted = true;
    }
    if (waiting !== undefined) {
      waiting(event);
    } else {
      this.#queue.push(event);
    }
  }

  #echo(text: string): void {
    if (this.#isInteractive) {
      const wasMuted = this.#screen.isMuted;
      this.#screen.isMuted = false;
      this.#screen.write(text);
      this.#screen.isMuted = wasMuted;
    }
  }
}

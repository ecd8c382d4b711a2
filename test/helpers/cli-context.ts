import { PassThrough } from 'node:stream';
import type { CommandContext, Environment } from '../../lib/cli/context.js';
import type { Library } from '../../lib/cli/library.js';
import { createChannel } from '../../lib/cli/terminal/channel.js';
import { Interrupts } from '../../lib/cli/terminal/interrupts.js';

/** Keys as a terminal sends them. */
export const keys = {
  enter: '\r',
  controlC: '\x03',
  controlD: '\x04',
  backspace: '\x7f',
  tab: '\t',
  up: '\x1b[A',
  pasteStart: '\x1b[200~',
  pasteEnd: '\x1b[201~',
} as const;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const controlSequences = /\x1b(\[[0-9;?]*[A-Za-z]|[78])/g;

/** Text without colours and cursor movements. */
export function withoutControlSequences(text: string): string {
  return text.replace(controlSequences, '');
}

/** A stream that remembers what was written to it, and may claim to be a terminal. */
export class RecordingStream extends PassThrough {
  readonly isTTY: boolean;
  readonly columns = 80;
  text = '';

  constructor(isTerminal: boolean) {
    super();
    this.isTTY = isTerminal;
    this.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('utf8');
    });
  }
}

/** A keyboard: a terminal's input that a test types into. */
export class Keyboard extends PassThrough {
  readonly isTTY = true;

  setRawMode(): this {
    return this;
  }

  /** Types, and lets the line editor take it in. */
  async type(text: string): Promise<void> {
    this.write(text);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A context whose streams a test can read. */
export interface TestContext extends CommandContext {
  readonly outputStream: RecordingStream;
  readonly notesStream: RecordingStream;
  readonly forcedExits: number;
}

export interface TestContextOptions {
  /** Text that is piped in, or the stream itself. Default: an empty text. */
  readonly input?: string | Buffer | PassThrough;
  readonly isTerminal?: boolean;
  readonly environment?: Environment;
  readonly library?: Partial<Library>;
}

/** A context for one run of the command line: text piped in unless a keyboard is given, no terminal unless asked for. */
export function createTestContext(options: TestContextOptions = {}): TestContext {
  const { input = '', isTerminal = false, environment = {}, library = {} } = options;
  const outputStream = new RecordingStream(isTerminal);
  const notesStream = new RecordingStream(isTerminal);
  const counted = { forcedExits: 0 };
  const interrupts = new Interrupts(() => {
    counted.forcedExits += 1;
  });
  return {
    input: input instanceof PassThrough ? input : new PassThrough().end(input),
    output: createChannel(outputStream, environment),
    notes: createChannel(notesStream, environment),
    environment,
    interrupts,
    // Tests give only the functions that the command under test calls.
    loadLibrary: async () => library as Library,
    exitCode: 0,
    outputStream,
    notesStream,
    get forcedExits() {
      return counted.forcedExits;
    },
  };
}

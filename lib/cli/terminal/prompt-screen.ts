import { Writable } from 'node:stream';

type Terminal = NodeJS.WritableStream & { readonly columns?: number; readonly isTTY?: boolean };

/**
 * The output that the line editor writes to: the terminal while a prompt is open, nothing while an answer streams, so
 * that keys pressed meanwhile do not end up in the middle of the answer.
 */
export class PromptScreen extends Writable {
  readonly #terminal: Terminal;
  readonly #forwardResize = () => this.emit('resize');
  isMuted = true;

  constructor(terminal: Terminal) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
    terminal.on('resize', this.#forwardResize);
  }

  /** Width of the terminal, which the line editor asks for to place the cursor. */
  get columns(): number {
    return this.#terminal.columns ?? 80;
  }

  get isTTY(): boolean {
    return this.#terminal.isTTY === true;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    if (!this.isMuted) {
      this.#terminal.write(chunk);
    }
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#terminal.removeListener('resize', this.#forwardResize);
    done(error);
  }
}

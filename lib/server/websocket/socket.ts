/** What is used of a WebSocket of the package ws. */
export interface Socket {
  /** Bytes that wait to be sent. */
  readonly bufferedAmount: number;
  send(data: string, done: (error?: Error) => void): void;
  /** Asks the other side to close too. */
  close(code: number, reason: string): void;
  /** Closes at once. */
  terminate(): void;
  ping(): void;
  /** Stops reading, so that the other side has to wait. */
  pause(): void;
  resume(): void;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: 'close' | 'pong', listener: () => void): this;
  once(event: 'close', listener: () => void): this;
}

/** Bytes that may wait to be sent before writers wait too. */
const mostBufferedBytes = 64 * 1024;

/** Sends texts, and lets those who send wait while the client does not read. */
export class SocketWriter {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  /** @param timeoutMs how long a client that reads nothing is waited for. */
  constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.once('close', () => {
      this.#isClosed = true;
      for (const resume of this.#waiting) resume();
    });
  }

  /**
   * Sends a text.
   * @returns a promise where the client has to be waited for. It never rejects; a client that is given up is cut off.
   */
  send(text: string): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    let sent: (() => void) | undefined;
    this.#socket.send(text, () => sent?.());
    if (this.#socket.bufferedAmount <= mostBufferedBytes) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#socket.terminate(), this.#timeoutMs);
      const resume = () => {
        clearTimeout(timer);
        this.#waiting.delete(resume);
        resolve();
      };
      sent = resume;
      this.#waiting.add(resume);
    });
  }
}

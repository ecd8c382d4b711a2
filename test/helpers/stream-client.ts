import { createRequire } from 'node:module';

/** What is used here of the client of the package ws, which comes without types. */
interface Socket {
  on(event: 'message', listener: (data: Buffer) => void): void;
  on(event: 'close', listener: (code: number) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  once(event: 'open', listener: () => void): void;
  once(event: 'error', listener: (error: Error) => void): void;
  send(data: string | Buffer, options?: { binary: boolean }): void;
  pause(): void;
  resume(): void;
  close(): void;
  terminate(): void;
}

const { WebSocket } = createRequire(import.meta.url)('ws') as {
  WebSocket: new (url: string, options: object) => Socket;
};

/** A message of the server. */
export type StreamMessage = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly id?: string;
};

/** A client of `/v1/stream` that keeps what it is sent. */
export class StreamClient {
  readonly socket: Socket;
  readonly messages: StreamMessage[] = [];
  /** The code that the connection was closed with. */
  readonly closed: Promise<number>;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)) as StreamMessage);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
    socket.on('error', () => {}); // `closed` tells
  }

  static async open(url: string, options: { headers?: Record<string, string> } = {}): Promise<StreamClient> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/stream`, options);
    const client = new StreamClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The first message that is like that, waited for. */
  async find(isWanted: (message: StreamMessage) => boolean): Promise<StreamMessage> {
    for (;;) {
      const found = this.messages.find(isWanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push(resolve);
        this.closed.then((code) => reject(new Error(`closed with ${code}`)));
      });
    }
  }

  /** The message that ends a generation. */
  end(id: string): Promise<StreamMessage> {
    return this.find((message) => message.id === id && ['done', 'error', 'refused'].includes(message.type));
  }

  /** The text of a generation so far. */
  text(id: string): string {
    return this.messages
      .filter((message) => message.id === id && message.type === 'delta')
      .map(({ text }) => text ?? '')
      .join('');
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type EngineProcess,
  engineEnvironment,
  type ProcessEnd,
  type ProcessListener,
  startFailed,
} from './engine-transport.js';
import { engineEntry } from './entry.js';
import { LogTail } from './log-tail.js';
import { encodeMessage } from './message-codec.js';
import { MessageReader } from './message-reader.js';
import { answerDescriptor, type EngineReply, type EngineRequest } from './protocol.js';

/** What a process wrote before it ended is waited for no longer than this. */
const lastWordsMs = 50;

/** In Electron, the program itself is a Node.js if it is asked to be one. */
function childEnvironment(): NodeJS.ProcessEnv {
  const environment = engineEnvironment();
  return process.versions.electron === undefined
    ? environment
    : { ...environment, ELECTRON_RUN_AS_NODE: '1' };
}

/** An engine in a child process, spoken to through pipes. */
export class ChildEngineProcess implements EngineProcess {
  readonly ended: Promise<ProcessEnd>;
  readonly processId: number;
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #answers: Readable;
  readonly #log = new LogTail();
  #corks = 0;
  #referenced: boolean | undefined;

  /** @throws EngineStartError if the system refuses. */
  static async start(execPath: string, listener: ProcessListener): Promise<EngineProcess> {
    try {
      const child = spawn(execPath, [engineEntry()], {
        stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
        env: childEnvironment(),
        windowsHide: true,
        // Ctrl-C in a terminal is for the program; on Windows this would open another terminal.
        detached: process.platform !== 'win32',
      });
      const [error] = await Promise.race([once(child, 'spawn'), once(child, 'error')]);
      if (error !== undefined) throw error;
      return new ChildEngineProcess(child, listener);
    } catch (cause) {
      throw startFailed(execPath, cause as Error);
    }
  }

  private constructor(child: ChildProcess, listener: ProcessListener) {
    this.#child = child;
    this.processId = child.pid ?? 0;
    this.#input = child.stdin as Writable;
    this.#answers = child.stdio[answerDescriptor] as Readable;
    this.ended = this.#awaitEnd();
    const reader = new MessageReader((message) => listener.onReply(message as EngineReply));
    this.#answers.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch {
        this.#answers.removeAllListeners('data').resume();
        listener.onGarbage();
      }
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => this.#log.push(chunk));
    // What goes wrong with a pipe is that the process ended, which is heard of elsewhere.
    for (const stream of child.stdio) stream?.on('error', () => {});
    this.setReferenced(false);
  }

  /** A notice, which nobody waits for, is written with the next call of the same turn, or at the end of the turn. */
  send(request: EngineRequest): void {
    this.#input.cork();
    for (const piece of encodeMessage(request)) this.#input.write(piece);
    if (request.type !== 'notice') {
      this.#uncorkAll();
      return;
    }
    if (this.#corks++ === 0) process.nextTick(() => this.#uncorkAll());
  }

  #uncorkAll(): void {
    for (; this.#corks > 0; this.#corks--) this.#input.uncork();
    this.#input.uncork();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  setReferenced(referenced: boolean): void {
    if (referenced === this.#referenced) return;
    this.#referenced = referenced;
    for (const stream of this.#child.stdio) (stream as Socket | null)?.unref();
    if (!referenced) {
      this.#child.unref();
      return;
    }
    this.#child.ref(); // else this process could end between the end of that one and the news of it
    (this.#answers as Socket).ref();
  }

  async #awaitEnd(): Promise<ProcessEnd> {
    const [code, signal] = (await once(this.#child, 'exit')) as [number | null, string | null];
    const written = [this.#answers, this.#child.stderr as Readable].map((stream) =>
      stream.readableEnded || stream.destroyed ? undefined : once(stream, 'close'),
    );
    await Promise.race([Promise.all(written), delay(lastWordsMs)]).catch(() => {});
    for (const stream of this.#child.stdio) stream?.destroy();
    return { exitCode: code ?? undefined, signal: signal ?? undefined, log: this.#log.lines() };
  }
}

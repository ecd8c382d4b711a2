import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createError, type LlamaNativeError } from '../errors.js';
import { findPackageRoot } from '../host/package-root.js';
import { LogTail } from './log-tail.js';
import { encodeMessage } from './message-codec.js';
import { MessageReader } from './message-reader.js';
import { answerDescriptor, type EngineReply, type EngineRequest } from './protocol.js';

/** How a process ended. */
export interface ProcessEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** The last lines it wrote to its standard error. */
  readonly log: readonly string[];
}

/** What the process tells. */
export interface ProcessListener {
  onReply(reply: EngineReply): void;
  /** What arrived is no message, or one that makes no sense. */
  onGarbage(): void;
}

/** What a process wrote before it ended is waited for no longer than this. */
const lastWordsMs = 50;

/** Engines of this thread at the same time. Each is a process, of 50 MB without its model. */
const mostProcesses = 64;
let processes = 0;

/** Without what is meant for this process: its debugger, its loaders, its coverage. */
function childEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...environment } = process.env;
  // In Electron, the program itself is a Node.js if it is asked to be one.
  return process.versions.electron === undefined
    ? environment
    : { ...environment, ELECTRON_RUN_AS_NODE: '1' };
}

function startFailed(execPath: string, cause: Error): LlamaNativeError {
  const advice = {
    EAGAIN: 'The system allows no more processes.',
    EMFILE: 'This process may open no more files.',
    ENFILE: 'The system can open no more files.',
    ENOMEM: 'There is not enough memory.',
    ENOENT: 'There is no such program, or the working directory is gone.',
    EACCES: 'It may not be executed.',
  }[(cause as NodeJS.ErrnoException).code ?? ''];
  return createError(
    'ENGINE_START_FAILED',
    `The process of the engine could not be started with ${execPath}: ${cause.message}.${advice ? ` ${advice}` : ''}`,
    { cause, details: { execPath } },
  );
}

/** A process that runs an engine: spoken to through pipes, and gone when this one is. */
export class EngineProcess {
  /** Settled when it has ended; also if it never began. */
  readonly ended: Promise<ProcessEnd>;
  readonly processId: number;
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #answers: Readable;
  readonly #log = new LogTail();
  #corked = false;
  #referenced: boolean | undefined;

  /** @throws EngineStartError if the system refuses. */
  static async start(execPath: string, listener: ProcessListener): Promise<EngineProcess> {
    if (processes >= mostProcesses) {
      const message = `${processes} engines run already, which is the most that one program may have. Close some of them.`;
      throw createError('ENGINE_START_FAILED', message, { details: { processes } });
    }
    processes++;
    try {
      const entry = join(findPackageRoot(), 'dist', 'isolate', 'engine-process.js');
      const child = spawn(execPath, [entry], {
        stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
        env: childEnvironment(),
        windowsHide: true,
        // Ctrl-C in a terminal is for the program; on Windows this would open another terminal.
        detached: process.platform !== 'win32',
      });
      const [error] = await Promise.race([once(child, 'spawn'), once(child, 'error')]);
      if (error !== undefined) throw error;
      return new EngineProcess(child, listener);
    } catch (cause) {
      processes--;
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

  /** What is sent in one turn is written at once, and wakes the process once. */
  send(request: EngineRequest): void {
    const pieces = encodeMessage(request);
    if (!this.#corked) {
      this.#corked = true;
      this.#input.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#input.uncork();
      });
    }
    for (const piece of pieces) this.#input.write(piece);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Whether this process stays alive for its sake. */
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
    processes--;
    const written = [this.#answers, this.#child.stderr as Readable].map((stream) =>
      stream.readableEnded || stream.destroyed ? undefined : once(stream, 'close'),
    );
    await Promise.race([Promise.all(written), delay(lastWordsMs)]).catch(() => {});
    for (const stream of this.#child.stdio) stream?.destroy();
    return { exitCode: code ?? undefined, signal: signal ?? undefined, log: this.#log.lines() };
  }
}

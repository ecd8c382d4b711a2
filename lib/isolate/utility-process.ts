import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
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
import { decodePacked, packMessage } from './message-codec.js';
import type { EngineReply, EngineRequest } from './protocol.js';

/** What is used of Electron's `UtilityProcess`. */
export interface UtilityChild {
  readonly pid: number | undefined;
  readonly stderr: Readable | null;
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): this;
  once(event: 'spawn', listener: () => void): this;
  once(event: 'exit', listener: (code: number) => void): this;
}

/** What is used of Electron's module `utilityProcess`. */
export interface UtilityProcessModule {
  fork(
    modulePath: string,
    programArguments: string[],
    options: { env: NodeJS.ProcessEnv; stdio: string[]; serviceName: string },
  ): UtilityChild;
}

/** What a process wrote before it ended is waited for no longer than this. */
const lastWordsMs = 50;

/**
 * Electron's utility processes, in the main process of an Electron program, which alone may start them; undefined
 * elsewhere. They work also where the program's fuses forbid it to be run as a Node.js.
 */
export function findUtilityProcesses(): UtilityProcessModule | undefined {
  if (process.versions.electron === undefined) return undefined;
  if ((process as NodeJS.Process & { type?: string }).type !== 'browser') return undefined;
  const electron = createRequire(import.meta.url)('electron') as { utilityProcess?: UtilityProcessModule };
  return electron.utilityProcess;
}

/** An engine in a utility process of Electron, spoken to through its message port. */
export class UtilityEngineProcess implements EngineProcess {
  readonly processId: number;
  readonly ended: Promise<ProcessEnd>;
  readonly #child: UtilityChild;

  /** @throws EngineStartError, also before the program's `ready` event, when Electron starts none. */
  static async start(processes: UtilityProcessModule, listener: ProcessListener): Promise<EngineProcess> {
    try {
      const child = processes.fork(engineEntry(), [], {
        env: engineEnvironment(),
        stdio: ['ignore', 'ignore', 'pipe'],
        serviceName: 'llama-native engine',
      });
      const started = await new Promise<boolean>((resolve) => {
        child.once('spawn', () => resolve(true));
        child.once('exit', () => resolve(false));
      });
      if (!started || child.pid === undefined) throw new Error('it ended before it began');
      return new UtilityEngineProcess(child, child.pid, listener);
    } catch (cause) {
      throw startFailed('a utility process of Electron', cause as Error);
    }
  }

  private constructor(child: UtilityChild, processId: number, listener: ProcessListener) {
    this.#child = child;
    this.processId = processId;
    const log = new LogTail();
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => log.push(chunk));
    child.on('message', (message) => {
      let reply: EngineReply;
      try {
        reply = decodePacked(message) as EngineReply;
      } catch {
        listener.onGarbage();
        return;
      }
      listener.onReply(reply);
    });
    this.ended = new Promise((resolve) => {
      child.once('exit', async (code) => {
        await delay(lastWordsMs);
        resolve({ ...asSignal(code), log: log.lines() });
      });
    });
  }

  send(request: EngineRequest): void {
    this.#child.postMessage(packMessage(request));
  }

  /** Electron's own `kill` asks politely, and an engine that hangs does not listen. */
  kill(): void {
    try {
      process.kill(this.processId, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }

  /** An Electron program ends when it decides to, whatever still runs. */
  setReferenced(): void {}
}

const signals: Record<number, string> = {
  4: 'SIGILL',
  6: 'SIGABRT',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
};

/** Electron tells the number of a signal as if it were an exit status. */
function asSignal(code: number): { exitCode: number | undefined; signal: string | undefined } {
  const signal = process.platform === 'win32' ? undefined : signals[code];
  return { exitCode: signal === undefined ? code : undefined, signal };
}

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What became of one file. */
export type LoadOutcome =
  | { readonly kind: 'loaded' }
  /** An ordinary error; `code` is undefined where it is not one of the library's. */
  | {
      readonly kind: 'refused';
      readonly code: string | undefined;
      readonly message: string;
      readonly stage: string;
    }
  /** The process died, or did not answer in time and was ended. */
  | { readonly kind: 'crashed' | 'stalled'; readonly stage: string; readonly message: string };

type ChildMessage =
  | { readonly stage: string }
  | { readonly outcome: 'loaded' }
  | { readonly outcome: 'refused'; readonly code?: string; readonly message: string; readonly stage: string };

const program = fileURLToPath(new URL('../stress/gguf-mutations-child.mjs', import.meta.url));

/** Loads files in a child process, which is replaced when a file has killed it. */
export class ModelLoader {
  readonly #timeoutMs: number;
  #child: ChildProcess | undefined;
  #errors = '';

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Loads and uses one file. Never throws for what the file does to the child. */
  async load(path: string, vocabOnly: boolean): Promise<LoadOutcome> {
    const child = this.#child ?? this.#start();
    let stage = 'start';
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    try {
      return await new Promise((resolve) => {
        timer = setTimeout(() => {
          isLate = true;
          child.kill('SIGKILL');
        }, this.#timeoutMs);
        child.on('message', (message: ChildMessage) => {
          if ('stage' in message && !('outcome' in message)) {
            stage = message.stage;
          } else if (message.outcome === 'loaded') {
            resolve({ kind: 'loaded' });
          } else {
            resolve({ ...message, kind: 'refused', code: message.code });
          }
        });
        child.once('close', (code, signal) => {
          this.#child = undefined;
          const message = `${signal ?? `exit code ${code}`} ${this.#errors.trim().slice(-400)}`;
          resolve({ kind: isLate ? 'stalled' : 'crashed', stage, message });
        });
        child.send({ path, vocabOnly });
      });
    } finally {
      clearTimeout(timer);
      child.removeAllListeners('message');
      child.removeAllListeners('close');
    }
  }

  /** Ends the child process. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child !== undefined) {
      await new Promise((resolve) => {
        child.once('close', resolve);
        child.kill();
      });
      this.#child = undefined;
    }
  }

  #start(): ChildProcess {
    const child = fork(program, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#errors = '';
    child.stderr?.on('data', (data) => {
      this.#errors = `${this.#errors}${data}`.slice(-4000);
    });
    this.#child = child;
    return child;
  }
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DownloadProgress, ResolveModelOptions } from '../../lib/hub/types.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** lib/hub compiled for programs that run outside of the test runner. */
export interface CompiledHub extends Disposable {
  readonly directory: string;
}

/** Compiles the library into a folder below node_modules, from where its dependencies are found. */
export function compileHub(): CompiledHub {
  const parent = join(root, 'node_modules', '.cache');
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, 'llama-native-hub-'));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = [
    '--outDir',
    directory,
    '--declaration',
    'false',
    '--declarationMap',
    'false',
    '--sourceMap',
    'false',
  ];
  try {
    execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.json'), ...flags], {
      stdio: 'pipe',
    });
  } catch (error) {
    // Type errors are for `npm run check` to report; what matters here is that the code came out.
    if (!existsSync(join(directory, 'hub', 'resolve-model.js'))) throw error;
  }
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

/** How a call in another process ended. */
export interface Outcome {
  readonly path?: string;
  readonly code?: string;
  readonly message?: string;
  readonly details?: Record<string, unknown>;
}

/** A process that resolves one model. */
export class HubChild {
  readonly process: ChildProcess;
  readonly #outcome: Promise<Outcome>;
  #progress: DownloadProgress | undefined;
  #onProgress: (() => void) | undefined;

  /** `shellPrefix` is shell text that runs before the program, such as `ulimit -f 100`. */
  constructor(compiled: CompiledHub, source: string, options: ResolveModelOptions, shellPrefix = ':') {
    const module = (name: string) => JSON.stringify(join(compiled.directory, 'hub', name));
    const program = `
      import { resolveModelWith } from ${module('resolve-model.js')};
      import { defaultTuning } from ${module('settings.js')};
      const [source, options] = JSON.parse(process.env.HUB_CHILD);
      const onProgress = (progress) => process.send({ progress });
      const tuning = { ...defaultTuning, attempts: 3, firstDelayMs: 5, heartbeatMs: 200 };
      const outcome = await resolveModelWith(source, { ...options, onProgress }, tuning).then(
        (path) => ({ path }),
        ({ code, message, details }) => ({ code, message, details }),
      );
      process.send({ outcome }, () => process.disconnect());`;
    this.process = spawn(
      '/bin/sh',
      ['-c', `${shellPrefix} && exec "$0" "$@"`, process.execPath, '--input-type=module', '-e', program],
      {
        env: { ...process.env, HUB_CHILD: JSON.stringify([source, options]) },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    this.#outcome = new Promise((resolve) => {
      this.process.on('message', (message: { outcome?: Outcome; progress?: DownloadProgress }) => {
        if (message.outcome) resolve(message.outcome);
        if (message.progress) this.#progress = message.progress;
        this.#onProgress?.();
      });
      this.process.on('exit', (code, signal) => resolve({ message: `ended early with ${signal ?? code}` }));
    });
  }

  get outcome(): Promise<Outcome> {
    return this.#outcome;
  }

  /** Waits until so many bytes were received. */
  async received(bytes: number): Promise<void> {
    while ((this.#progress?.downloadedBytes ?? 0) < bytes) {
      await new Promise<void>((resolve) => {
        this.#onProgress = resolve;
      });
    }
  }

  /** Ends the process at once, as a power cut would. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await gone;
  }
}

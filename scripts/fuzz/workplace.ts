import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CrashReport,
  type IsolatedEngine,
  type IsolateOptions,
  startIsolatedEngine,
} from '../../lib/isolate/index.js';
import { loadModel } from '../../lib/model/load-model.js';
import type { Model } from '../../lib/model/model.js';
import type { LoadModelOptions } from '../../lib/model/types.js';

/** How long an engine may stand still. */
export const hangTimeoutMs = 10_000;

/** How engines are watched here. */
const isolation: IsolateOptions = {
  hangTimeoutMs,
  memoryLimitBytes: 3e9,
  // Crashes are what is looked for; there shall always be another engine.
  crashLimit: 1_000_000,
};

/** Where inputs are tried: a folder for files, and engines that may crash. */
export class Workplace {
  readonly directory: string;
  #lastCrash: CrashReport | undefined;

  static async create(): Promise<Workplace> {
    return new Workplace(await mkdtemp(join(tmpdir(), 'llama-native-fuzz-')));
  }

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Path of a file in the folder. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Loads a model into an engine of its own. */
  async openModel(path: string, options: LoadModelOptions = {}): Promise<Model> {
    const sizes = { contextSize: 512, batchSize: 64, threads: 1 };
    const model = await loadModel(path, { ...sizes, ...options, isolate: isolation });
    model.on('crash', (report) => this.#noteCrash(report));
    return model;
  }

  /** Starts an engine without a model. */
  async startEngine(): Promise<IsolatedEngine> {
    const engine = await startIsolatedEngine(isolation);
    engine.listenToCrashes((report) => this.#noteCrash(report));
    return engine;
  }

  #noteCrash(report: CrashReport): void {
    this.#lastCrash = report;
  }

  /** The report of the crash since this was asked last. */
  takeCrash(): CrashReport | undefined {
    const crash = this.#lastCrash;
    this.#lastCrash = undefined;
    return crash;
  }

  async close(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

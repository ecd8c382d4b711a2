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
  #watch = 0;
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
    model.on('crash', this.#crashes());
    return model;
  }

  /** Starts an engine without a model. */
  async startEngine(): Promise<IsolatedEngine> {
    const engine = await startIsolatedEngine(isolation);
    engine.listenToCrashes(this.#crashes());
    return engine;
  }

  #crashes(): (report: CrashReport) => void {
    const watch = this.#watch;
    return (report) => {
      if (watch === this.#watch) this.#lastCrash = report;
    };
  }

  /** Before others are opened instead: an engine that was given up may take a second more to die. */
  forgetEngines(): void {
    this.#watch++;
    this.#lastCrash = undefined;
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

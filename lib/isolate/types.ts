/** Why the process of an engine ended unasked. */
export type CrashReason =
  /** It ended by itself: an abort, a segmentation fault, or a kill from outside, as by a system out of memory. */
  | 'exited'
  /** It did not answer, or stood still, for `hangTimeoutMs`, and was ended. */
  | 'hung'
  /** It held more than `memoryLimitBytes`, and was ended. */
  | 'memory-limit'
  /** It sent what is no message, and was ended. */
  | 'garbage';

/** A call that a crash interrupted. */
export interface InterruptedCall {
  /** What was asked of the engine, such as `submitGeneration` or `embed`. */
  readonly method: string;
  readonly runningMs: number;
  /** The prompt of a generation; only with `reportPrompts`. */
  readonly promptTokens?: Int32Array;
}

/** What is known of a crash. Holds nothing of any prompt unless `reportPrompts` asks for it. */
export interface CrashReport {
  readonly reason: CrashReason;
  readonly processId: number;
  /** The signal that ended the process, such as `SIGABRT`; undefined if it exited. */
  readonly signal: string | undefined;
  /** The exit status; undefined if a signal ended it. */
  readonly exitCode: number | undefined;
  /** The last lines that llama.cpp and the C library wrote, at most 50. */
  readonly log: readonly string[];
  /** How long the process had run. */
  readonly uptimeMs: number;
  /** Crashes in a row, this one included, without anything evaluated in between. */
  readonly crashesInARow: number;
  readonly interrupted: readonly InterruptedCall[];
}

/** How an engine in a process of its own is watched. */
export interface IsolateOptions {
  /**
   * Most resident memory of the process in bytes, pages of the mapped model included. It is looked at several times a
   * second while the engine works; a process that holds more is ended. Default: no limit.
   */
  memoryLimitBytes?: number;
  /**
   * After this time without an answer, or without any progress of what it evaluates, the process counts as hung and is
   * ended. Milliseconds, 100 or more. Default 30000.
   */
  hangTimeoutMs?: number;
  /**
   * Crashes in a row, without anything evaluated in between, after which no process is started for a minute; calls fail
   * with ENGINE_START_FAILED until then. Before that, starts are delayed from the second crash on. Default 5.
   */
  crashLimit?: number;
  /** Put the tokens of interrupted prompts into crash reports. Default false. */
  reportPrompts?: boolean;
  /**
   * The program that runs the engine, a Node.js of version 20.17 or later. Default: that of this process; in the main
   * process of an Electron program, a utility process.
   */
  execPath?: string;
}

import { checkBoolean, checkInteger, checkKeys, checkString, invalidArgument } from '../arguments.js';
import { ChildEngineProcess } from './child-process.js';
import type { StartProcess } from './engine-transport.js';
import type { IsolateOptions } from './types.js';
import { findUtilityProcesses, UtilityEngineProcess } from './utility-process.js';

const isolateKeys = ['memoryLimitBytes', 'hangTimeoutMs', 'crashLimit', 'reportPrompts', 'execPath'];

/** {@link IsolateOptions} with their defaults. */
export interface IsolateSettings {
  readonly memoryLimitBytes: number;
  readonly hangTimeoutMs: number;
  readonly crashLimit: number;
  readonly reportPrompts: boolean;
  readonly startProcess: StartProcess;
}

/** @throws InvalidArgumentError naming the option. */
export function checkIsolateOptions(isolate: boolean | IsolateOptions | undefined): void {
  if (isolate === undefined || typeof isolate === 'boolean') return;
  if (typeof isolate !== 'object' || isolate === null) {
    throw invalidArgument('isolate', 'true, false or an object', isolate);
  }
  checkKeys('isolate', isolate, isolateKeys);
  checkInteger('isolate.memoryLimitBytes', isolate.memoryLimitBytes, 1, Number.MAX_SAFE_INTEGER);
  checkInteger('isolate.hangTimeoutMs', isolate.hangTimeoutMs, 100, 86_400_000);
  checkInteger('isolate.crashLimit', isolate.crashLimit, 1, 1_000_000);
  checkBoolean('isolate.reportPrompts', isolate.reportPrompts);
  checkString('isolate.execPath', isolate.execPath);
}

/** Fills in the defaults of checked options. */
export function toIsolateSettings(isolate: boolean | IsolateOptions | undefined): IsolateSettings {
  const options = typeof isolate === 'object' ? isolate : {};
  return {
    memoryLimitBytes: options.memoryLimitBytes ?? Number.POSITIVE_INFINITY,
    hangTimeoutMs: options.hangTimeoutMs ?? 30_000,
    crashLimit: options.crashLimit ?? 5,
    reportPrompts: options.reportPrompts ?? false,
    startProcess: chooseProcess(options.execPath),
  };
}

/** A utility process in an Electron program, unless a program was named; else a child process. */
function chooseProcess(execPath: string | undefined): StartProcess {
  const utilityProcesses = execPath === undefined ? findUtilityProcesses() : undefined;
  if (utilityProcesses !== undefined) {
    return (listener) => UtilityEngineProcess.start(utilityProcesses, listener);
  }
  return (listener) => ChildEngineProcess.start(execPath ?? process.execPath, listener);
}

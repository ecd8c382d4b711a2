import { checkBoolean, checkInteger, checkKeys, checkString, invalidArgument } from '../arguments.js';
import type { IsolateOptions } from './types.js';

const isolateKeys = ['memoryLimitBytes', 'hangTimeoutMs', 'crashLimit', 'reportPrompts', 'execPath'];

/** {@link IsolateOptions} with their defaults. */
export interface IsolateSettings {
  readonly memoryLimitBytes: number;
  readonly hangTimeoutMs: number;
  readonly crashLimit: number;
  readonly reportPrompts: boolean;
  readonly execPath: string;
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
    execPath: options.execPath ?? process.execPath,
  };
}

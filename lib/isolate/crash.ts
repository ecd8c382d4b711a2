import { createError, type LlamaNativeError } from '../errors.js';
import type { CrashReason, CrashReport } from './types.js';

/** How the process of an engine ended. */
export type EngineEnd = Omit<CrashReport, 'crashesInARow' | 'interrupted'>;

const bytesPerGigabyte = 1e9;

function describeEnd({ signal, exitCode }: EngineEnd): string {
  if (signal === 'SIGKILL') {
    return (
      'It was killed from outside (SIGKILL). A system that runs out of memory does that: take a smaller model, ' +
      'contextSize or quantization.'
    );
  }
  if (signal !== undefined) return `It was ended by the signal ${signal}.`;
  return `It exited with the status ${exitCode}.`;
}

function describe(report: EngineEnd, limits: { hangTimeoutMs: number; memoryLimitBytes: number }): string {
  const reasons: Readonly<Record<CrashReason, string>> = {
    exited: describeEnd(report),
    hung: `It made no progress for ${limits.hangTimeoutMs / 1000} s (hangTimeoutMs) and was ended.`,
    'memory-limit': `It held more than ${(limits.memoryLimitBytes / bytesPerGigabyte).toFixed(1)} GB (memoryLimitBytes) and was ended.`,
    garbage: 'It sent what is no message, and was ended.',
  };
  return reasons[report.reason];
}

/** The error with which calls end that a crash interrupts. */
export function crashError(
  report: EngineEnd,
  limits: { hangTimeoutMs: number; memoryLimitBytes: number },
): LlamaNativeError {
  const telling = report.log.filter((line) => /assert|abort|error|fail|fatal|terminat/i.test(line)).slice(-5);
  const lastWords = telling.length > 0 ? `\nIt said:${telling.map((line) => `\n  ${line}`).join('')}` : '';
  const message =
    `The process of the engine (${report.processId}) ended during the call. ${describe(report, limits)} The next call ` +
    `starts it again.${lastWords}`;
  const { reason, processId, signal, exitCode, log } = report;
  return createError('ENGINE_CRASHED', message, { details: { reason, processId, signal, exitCode, log } });
}

/** The error for what was in an engine that is gone and cannot be made again from outside. */
export function lostError(kind: string): LlamaNativeError {
  return createError(
    'ENGINE_CRASHED',
    `The process of the engine ended, and this ${kind} with it. Create another one; the model itself goes on.`,
  );
}

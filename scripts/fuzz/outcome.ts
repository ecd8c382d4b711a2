import { basename } from 'node:path';
import { LlamaNativeError } from '../../lib/errors.js';
import type { CrashReport } from '../../lib/isolate/index.js';
import { hangTimeoutMs, type Workplace } from './workplace.js';

/** What became of an input. */
export type Outcome = { readonly elapsedMs: number } & (
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly code: string }
  | Finding
);

/** What must not become of an input. */
export interface Finding {
  /** `foreign`: it was refused with an error that is none of the library's, or with INTERNAL. */
  readonly kind: 'crashed' | 'hung' | 'foreign';
  /** The same for inputs that meet the same defect. */
  readonly signature: string;
  readonly message: string;
}

export function isFinding(outcome: Outcome): outcome is Outcome & Finding {
  return outcome.kind === 'crashed' || outcome.kind === 'hung' || outcome.kind === 'foreign';
}

/** An input makes a few calls, each of which may take its time; and this machine may be busy with others. */
export const longestMs = 1.5 * hangTimeoutMs;

/** What an engine says last, without what differs from one run to the next. */
function lastWords(log: readonly string[]): string {
  const telling = log.filter((line) =>
    /GGML_ASSERT|assert|terminate|what\(\)|fatal|abort|\.(c|cpp|cu|h):\d+: /i.test(line),
  );
  const line = telling.at(-1) ?? '';
  return line
    .replace(/\S*\/(\S+)/g, (_, file: string) => basename(file))
    .replace(/0x[0-9a-f]+/gi, 'N')
    .replace(/\d+/g, 'N')
    .replace(/[^\x20-\x7e]+/g, '?')
    .trim()
    .slice(0, 160);
}

type Death = Pick<CrashReport, 'reason' | 'signal' | 'exitCode' | 'log'> &
  Partial<Pick<CrashReport, 'interrupted'>>;

function describeDeath(death: Death): Finding {
  const { reason, signal, exitCode, log, interrupted = [] } = death;
  const calls = [...new Set(interrupted.map(({ method }) => method))].sort().join(' and ') || 'loadModel';
  const how = reason === 'exited' ? (signal ?? `exit ${exitCode}`) : reason;
  const words = lastWords(log);
  return {
    kind: reason === 'hung' ? 'hung' : 'crashed',
    signature: `${how} in ${calls}${words === '' ? '' : `: ${words}`}`,
    message: log.slice(-8).join('\n'),
  };
}

/** What an error says of the input that it came from. */
function judge(error: unknown, crash: CrashReport | undefined): { kind: 'refused'; code: string } | Finding {
  if (!LlamaNativeError.isInstance(error)) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return {
      kind: 'foreign',
      signature: `${name}: ${message}`.replace(/\d+/g, 'N').slice(0, 160),
      message: stack ?? message,
    };
  }
  if (error.code === 'INTERNAL') {
    const signature = `INTERNAL: ${error.message}`.replace(/\d+/g, 'N').slice(0, 160);
    return { kind: 'foreign', signature, message: error.stack ?? '' };
  }
  const { reason, signal, exitCode, log } = error.details as Partial<Death>;
  if (crash !== undefined) return describeDeath(crash);
  if (error.code !== 'ENGINE_CRASHED') return { kind: 'refused', code: error.code };
  return describeDeath({ reason: reason ?? 'exited', signal, exitCode, log: log ?? [] });
}

/** Runs an input and says what became of it. Never rejects. */
export async function tryInput(run: () => Promise<void>, workplace: Workplace): Promise<Outcome> {
  const begun = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), longestMs);
  });
  let result: { kind: 'accepted' } | { kind: 'refused'; code: string } | Finding;
  try {
    const first = await Promise.race([run(), limit]);
    const crash = workplace.takeCrash();
    if (crash !== undefined) result = describeDeath(crash);
    else result = first === 'late' ? lateFinding : { kind: 'accepted' };
  } catch (error) {
    result = judge(error, workplace.takeCrash());
  }
  clearTimeout(timer);
  const elapsedMs = performance.now() - begun;
  const isLate = elapsedMs > longestMs && (result.kind === 'accepted' || result.kind === 'refused');
  return { elapsedMs, ...(isLate ? lateFinding : result) };
}

const lateFinding: Finding = {
  kind: 'hung',
  signature: 'late: the call outlived its timeout',
  message: `It took longer than ${longestMs} ms, and the engine was not ended.`,
};

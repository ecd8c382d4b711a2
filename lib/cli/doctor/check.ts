/** `warning` is something missing that generating can do without. */
export type CheckStatus = 'ok' | 'warning' | 'failed';

/** One thing that doctor looked at. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found. */
  readonly detail: string;
  /** What to do about it, unless all is well. */
  readonly remedy?: string;
  /** The same as data, for `--json`. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Text of an error for a check. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

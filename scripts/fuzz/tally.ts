import { isFinding, type Outcome } from './outcome.js';

/** What became of the inputs of one kind. */
export class Tally {
  readonly kind: string;
  inputs = 0;
  accepted = 0;
  crashes = 0;
  hangs = 0;
  foreign = 0;
  slowestMs = 0;
  elapsedMs = 0;
  readonly refused = new Map<string, number>();
  /** Of crashes, hangs and foreign errors, with how often each occurred. */
  readonly signatures = new Map<string, number>();

  constructor(kind: string) {
    this.kind = kind;
  }

  add(outcome: Outcome, elapsedMs: number): void {
    this.inputs++;
    this.elapsedMs = elapsedMs;
    this.slowestMs = Math.max(this.slowestMs, outcome.elapsedMs);
    if (isFinding(outcome)) count(this.signatures, outcome.signature);
    switch (outcome.kind) {
      case 'accepted':
        this.accepted++;
        break;
      case 'refused':
        count(this.refused, outcome.code);
        break;
      case 'crashed':
        this.crashes++;
        break;
      case 'hung':
        this.hangs++;
        break;
      case 'foreign':
        this.foreign++;
        break;
    }
  }

  get perSecond(): number {
    return this.elapsedMs === 0 ? 0 : (this.inputs / this.elapsedMs) * 1000;
  }

  get refusals(): number {
    return [...this.refused.values()].reduce((sum, number) => sum + number, 0);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const columns = [
  'kind',
  'inputs',
  'accepted',
  'refused',
  'crashes',
  'hangs',
  'foreign',
  'slowest',
  'per second',
];

/** A table of what became of everything, and the refusals and findings below it. */
export function formatTallies(tallies: readonly Tally[]): string {
  const rows = tallies.map((tally) => [
    tally.kind,
    String(tally.inputs),
    String(tally.accepted),
    String(tally.refusals),
    String(tally.crashes),
    String(tally.hangs),
    String(tally.foreign),
    `${Math.round(tally.slowestMs)} ms`,
    tally.perSecond.toFixed(0),
  ]);
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ');
  const details = tallies.flatMap((tally) => [
    ...(tally.refused.size > 0 ? [`${tally.kind}, refused: ${formatCounts(tally.refused)}`] : []),
    ...[...tally.signatures].map(([signature, number]) => `${tally.kind}, ${number} ×: ${signature}`),
  ]);
  return [line(columns), ...rows.map(line), '', ...details].join('\n');
}

function formatCounts(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([code, number]) => `${code} ${number}`).join(', ');
}

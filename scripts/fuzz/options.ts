import { parseArgs } from 'node:util';

export const usage = `npm run fuzz -- [options]

  --kind NAME,...   which kinds of inputs, or all; --list shows them. Default all
  --count N         inputs of each kind, default 1000
  --seed S          a whole number; the same seed makes the same inputs, default 1
  --first N         begin with the input of this number, default 0
  --minutes N       no further input of a kind after so long, default no limit
  --no-keep         write nothing into test/regressions
  --list            print the kinds
  --help            print this

An input is decided by the seed, its kind and its number. What crashes or hangs an engine is made
smaller and kept in test/regressions; see docs/fuzzing.md.
`;

/** What the command line asks for. */
export interface FuzzOptions {
  readonly kinds: readonly string[];
  readonly count: number;
  readonly seed: number;
  readonly first: number;
  readonly minutes: number | undefined;
  readonly keep: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

function wholeNumber(name: string, value: string, lowest: number): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= lowest && value.trim() !== '') return number;
  throw new Error(
    `Expected --${name} to be a whole number from ${lowest}, received ${JSON.stringify(value)}.`,
  );
}

function chosenKinds(value: string, known: readonly string[]): string[] {
  if (value === 'all') return [...known];
  const names = value.split(',').map((name) => name.trim());
  for (const name of names) {
    if (!known.includes(name)) {
      throw new Error(
        `There is no kind ${JSON.stringify(name)}. Known are: ${known.join(', ')}, and all of them: all.`,
      );
    }
  }
  return names;
}

/** Reads the arguments behind `npm run fuzz --`. @throws Error that says what was expected. */
export function parseOptions(programArguments: readonly string[], known: readonly string[]): FuzzOptions {
  const { values } = parseArgs({
    args: [...programArguments],
    allowNegative: true,
    options: {
      kind: { type: 'string', default: 'all' },
      count: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      first: { type: 'string', default: '0' },
      minutes: { type: 'string' },
      keep: { type: 'boolean', default: true },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    kinds: chosenKinds(values.kind, known),
    count: wholeNumber('count', values.count, 1),
    seed: wholeNumber('seed', values.seed, 0),
    first: wholeNumber('first', values.first, 0),
    minutes: values.minutes === undefined ? undefined : wholeNumber('minutes', values.minutes, 1),
    keep: values.keep,
    list: values.list,
    help: values.help,
  };
}

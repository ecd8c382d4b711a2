// The command line of the benchmarks.
import { parseArgs } from 'node:util';

export const usage = `npm run bench -- [options]

  --rows NAME,...        only rows whose name begins so, such as greedy,prefill; --list shows the names
  --rounds N             times that everything is measured, default 3
  --threads N            default 2
  --peer node-llama-cpp  also measure that package's published binary; installed into .cache/peers
  --output DIRECTORY     where results.json and results.svg go, default .cache/bench
  --wait SECONDS         longest wait for a quiet machine before each measurement, default 60
  --attempts N           measure up to so many times where others disturb, default 2
  --no-build             use what is built already
  --list                 print the rows and their goals, measure nothing
`;

function positiveInteger(name, value) {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`Expected --${name} to be a whole number above 0, received ${JSON.stringify(value)}.`);
}

/** Reads the arguments behind `npm run bench --`. */
export function parseOptions(programArguments) {
  const { values } = parseArgs({
    args: programArguments,
    allowNegative: true,
    options: {
      rows: { type: 'string', default: '' },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string', default: '2' },
      wait: { type: 'string', default: '60' },
      attempts: { type: 'string', default: '2' },
      peer: { type: 'string' },
      output: { type: 'string' },
      build: { type: 'boolean', default: true },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    ...values,
    rows: values.rows.split(',').filter((name) => name !== ''),
    rounds: positiveInteger('rounds', values.rounds),
    threads: positiveInteger('threads', values.threads),
    attempts: positiveInteger('attempts', values.attempts),
    waitSeconds: positiveInteger('wait', values.wait),
  };
}

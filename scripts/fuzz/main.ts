import { relative } from 'node:path';
import { projectPath } from '../../test/helpers/vendored.js';
import { Campaign } from './campaign.js';
import type { JsonObject } from './json.js';
import { fuzzKinds } from './kinds/index.js';
import { type FuzzOptions, parseOptions, usage } from './options.js';
import type { Finding } from './outcome.js';
import { formatTallies, type Tally } from './tally.js';

const secondsBetweenLines = 10;

/** A line of progress every few seconds. */
class Progress {
  #last = performance.now();

  show(tally: Tally, count: number): void {
    if (performance.now() - this.#last < secondsBetweenLines * 1000) return;
    this.#last = performance.now();
    const findings = tally.crashes + tally.hangs + tally.foreign;
    console.log(
      `${tally.kind}: ${tally.inputs} of ${count}, ${tally.perSecond.toFixed(0)} a second, ${findings} findings`,
    );
  }
}

function showFinding(
  kind: string,
  { kind: what, signature, message }: Finding,
  input: JsonObject,
  where: string,
): void {
  const text = JSON.stringify(input);
  const place = where.startsWith(projectPath) ? relative(projectPath, where) : where;
  console.log(`${kind}: ${what}: ${signature} (${place})`);
  if (Object.keys(input).length === 0) return; // it is known
  console.log(`  ${text.length > 400 ? `${text.slice(0, 400)}…` : text}`);
  for (const line of message.split('\n').slice(0, 12)) console.log(`  | ${line}`);
}

async function runKinds(options: FuzzOptions): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const kind of fuzzKinds.filter(({ name }) => options.kinds.includes(name))) {
    const progress = new Progress();
    const { count, seed, first, keep, minutes } = options;
    const campaign = new Campaign(kind, {
      count,
      seed,
      first,
      keep,
      ...(minutes !== undefined && { milliseconds: minutes * 60_000 }),
      onProgress: (tally) => progress.show(tally, count),
      onFinding: (finding, input, where) => showFinding(kind.name, finding, input, where),
    });
    tallies.push(await campaign.run());
  }
  return tallies;
}

/** Runs the fuzzer; returns the exit status: 1 if anything crashed, hung or failed with a foreign error. */
export async function main(programArguments: readonly string[]): Promise<number> {
  const known = fuzzKinds.map(({ name }) => name);
  let options: FuzzOptions;
  try {
    options = parseOptions(programArguments, known);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (options.help || options.list) {
    console.log(options.help ? usage : known.join('\n'));
    return 0;
  }
  const tallies = await runKinds(options);
  console.log(`\n${formatTallies(tallies)}`);
  return tallies.some(({ signatures }) => signatures.size > 0) ? 1 : 0;
}

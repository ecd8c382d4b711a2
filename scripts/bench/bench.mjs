// Measures the library beside llama.cpp's own programs, llama-server and, on request, node-llama-cpp: everything in
// one sitting, in turn, several rounds. Prints a table; writes JSON and an SVG chart. docs/benchmarks.md explains it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative } from 'node:path';
import { prepare, root, runSteps } from '../prepare.mjs';
import { drawChart } from './chart.mjs';
import { measureGroup } from './measure-group.mjs';
import { parseOptions, usage } from './options.mjs';
import { ensurePeer } from './peers.mjs';
import { busyLimit, measureInQuiet } from './quiet-machine.mjs';
import { ensureRandomModel, randomModels } from './random-model.mjs';
import { referenceTools } from './reference-tools.mjs';
import { formatGoal, formatTable, summarizeRow } from './results.mjs';
import { selectRows } from './rows.mjs';

/** One seed for good: figures of different days come from the same weights. */
const modelSeed = 1;

function listRows(rows) {
  for (const row of rows) console.log(`${row.id.padEnd(20)} ${formatGoal(row).padEnd(8)} ${row.title}`);
}

async function findModels(rows) {
  const { writeGguf } = await import('../../dist/index.js');
  const { fetchDefaultModel } = await import('../default-model.mjs');
  const directory = join(root, '.cache', 'bench-models');
  const paths = {};
  for (const name of new Set(rows.map(({ model }) => model))) {
    paths[name] =
      name in randomModels
        ? await ensureRandomModel(name, { directory, seed: modelSeed, writeGguf })
        : await fetchDefaultModel();
  }
  return paths;
}

/** Rows that can be measured, by group. */
function groupRows(rows) {
  const groups = new Map();
  for (const row of rows) {
    if (row.unavailable !== undefined) continue;
    groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  }
  return groups;
}

function describeMachine() {
  const [processor] = cpus();
  return {
    processor: processor?.model,
    processors: cpus().length,
    platform: process.platform,
    node: process.version,
  };
}

async function measureRounds(rows, models, { rounds, threads, peer, waitSeconds, attempts }) {
  const measured = [];
  for (let round = 0; round < rounds; round++) {
    for (const [group, members] of groupRows(rows)) {
      const begin = performance.now();
      const settings = {
        model: models[members[0].model],
        threads,
        round,
        libraryFirst: round % 2 === 1, // the order changes: what else the machine does hits both alike
        peer,
      };
      const measurement = () => measureGroup(group, members, settings);
      const { result, busy } = await measureInQuiet(measurement, { waitSeconds, attempts });
      measured.push({ round, group, busy, ...result });
      const seconds = ((performance.now() - begin) / 1000).toFixed(0);
      const disturbed = busy > busyLimit ? `, DISTURBED: others used ${(100 * busy).toFixed(0)} %` : '';
      process.stderr.write(`round ${round + 1} of ${rounds}, ${group}: ${seconds} s${disturbed}\n`);
    }
  }
  return measured;
}

/** Without the peer its rows are not measured, and say so. */
function withoutPeer(rows) {
  return rows.map((row) =>
    row.group === 'peer' ? { ...row, unavailable: 'asked for with --peer node-llama-cpp' } : row,
  );
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return undefined; // not a checkout
  }
}

function writeResults(directory, record, results) {
  mkdirSync(directory, { recursive: true });
  const files = { json: join(directory, 'results.json'), svg: join(directory, 'results.svg') };
  writeFileSync(files.json, `${JSON.stringify({ ...record, results }, null, 2)}\n`);
  const { machine, threads, rounds } = record;
  const subtitle = `${machine.processor}, ${threads} threads, ${record.date.slice(0, 10)}; medians of ${rounds} rounds; ours over the reference`;
  writeFileSync(files.svg, drawChart(results, { title: 'llama-native beside its references', subtitle }));
  console.log(
    `\n${Object.values(files)
      .map((file) => relative(root, file))
      .join('\n')}`,
  );
}

await runSteps(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return console.log(usage);
  const selected = selectRows(options.rows);
  if (options.list) return listRows(selected);
  if (options.build) prepare({ tools: referenceTools });
  const peer = options.peer === undefined ? undefined : ensurePeer(options.peer);
  const rows = peer === undefined ? withoutPeer(selected) : selected;
  const models = await findModels(rows.filter(({ unavailable }) => unavailable === undefined));
  const date = new Date().toISOString();
  const measured = await measureRounds(rows, models, { ...options, peer });
  const results = rows.map((row) => summarizeRow(row, measured));
  console.log(formatTable(results));
  const { rounds, threads } = options;
  const record = {
    date,
    commit: commit(),
    machine: describeMachine(),
    threads,
    rounds,
    peer: peer?.version,
    measured,
  };
  writeResults(options.output ?? join(root, '.cache', 'bench'), record, results);
});

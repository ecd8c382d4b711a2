// Measures the model workshop beside llama-quantize and cp: quantizing, converting, reading metadata. Everything in one
// sitting, in turn, several rounds. Prints a table; writes JSON. docs/benchmarks.md explains it.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { prepare, root, runSteps } from '../prepare.mjs';
import { busyLimit, measureInQuiet } from './quiet-machine.mjs';
import { formatGoal, formatTable, summarizeRow } from './results.mjs';
import { ensureCheckpoint } from './workshop/checkpoints.mjs';
import { measureWorkshopGroup } from './workshop/groups.mjs';
import { selectWorkshopRows } from './workshop/rows.mjs';
import { ensureSparseModel } from './workshop/sparse-model.mjs';

const usage = `npm run bench:workshop -- [options]

  --rows NAME,...     only rows whose name begins so, such as quantize,metadata; --list shows the names
  --rounds N          times that everything is measured, default 5
  --threads N         default 2
  --output FILE       where the single figures go, default .cache/bench/workshop.json
  --wait SECONDS      longest wait for a quiet machine before each measurement, default 60
  --attempts N        measure up to so many times where others disturb, default 2
  --no-build          use what is built already
  --list              print the rows and their goals, measure nothing

Takes 3 GB of disk in .cache, and about 4 minutes on two cores.
`;

const { values: options } = parseArgs({
  allowNegative: true,
  options: {
    rows: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    wait: { type: 'string', default: '60' },
    attempts: { type: 'string', default: '2' },
    output: { type: 'string', default: join(root, '.cache', 'bench', 'workshop.json') },
    build: { type: 'boolean', default: true },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** SmolLM2 in 16 bits, made of the default model where it is not in the directory. */
async function ensureF16(directory, model) {
  const path = join(directory, 'smollm2-f16-v1.gguf');
  if (existsSync(path)) return path;
  const { quantize } = await import('../../dist/index.js');
  await quantize(model, path, { type: 'F16', allowRequantize: true });
  return path;
}

async function prepareInputs(groups) {
  const { fetchDefaultModel } = await import('../default-model.mjs');
  const directory = join(root, '.cache', 'bench-models');
  mkdirSync(directory, { recursive: true });
  const model = await fetchDefaultModel();
  const inputs = { checkpoints: {} };
  for (const group of groups) {
    if (group === 'quantize') inputs.f16 = await ensureF16(directory, model);
    if (group === 'metadata') inputs.sparse = await ensureSparseModel(directory);
    const [, name] = /^convert-(\w+)-/.exec(group) ?? [];
    if (name !== undefined) inputs.checkpoints[name] = await ensureCheckpoint(name, { directory, model });
  }
  return inputs;
}

async function measureRound(groups, settings) {
  const measured = [];
  for (const [group, rows] of groups) {
    const work = () => measureWorkshopGroup(group, rows, settings);
    const quiet = { waitSeconds: Number(options.wait), attempts: Number(options.attempts) };
    const { result, busy } = await measureInQuiet(work, quiet);
    measured.push({ round: settings.round, group, busy, ...result });
    const disturbed = busy > busyLimit ? `, DISTURBED: others used ${(100 * busy).toFixed(0)} %` : '';
    process.stderr.write(`round ${settings.round + 1} of ${options.rounds}, ${group}${disturbed}\n`);
  }
  return measured;
}

async function measureAll(rows) {
  const groups = groupRows(rows);
  const inputs = await prepareInputs(groups.keys());
  const scratch = mkdtempSync(join(root, '.cache', 'workshop-'));
  const measured = [];
  try {
    for (let round = 0; round < Number(options.rounds); round++) {
      // The order changes: what else the machine does hits both alike.
      const settings = {
        ...inputs,
        scratch,
        round,
        threads: Number(options.threads),
        libraryFirst: round % 2 === 1,
      };
      measured.push(...(await measureRound(groups, settings)));
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return measured;
}

/** Rows by group. */
function groupRows(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return groups;
}

function writeResults(record) {
  mkdirSync(join(options.output, '..'), { recursive: true });
  writeFileSync(options.output, `${JSON.stringify(record, null, 2)}\n`);
  console.log(`\n${relative(root, options.output)}`);
}

await runSteps(async () => {
  if (options.help) return console.log(usage);
  const rows = selectWorkshopRows(options.rows.split(',').filter((name) => name !== ''));
  if (options.list) {
    for (const row of rows) console.log(`${row.id.padEnd(34)} ${formatGoal(row).padEnd(10)} ${row.title}`);
    return;
  }
  if (options.build) prepare({ tools: ['llama-quantize'] });
  const measured = await measureAll(rows);
  const results = rows.map((row) => summarizeRow(row, measured));
  console.log(formatTable(results));
  const machine = { processor: cpus()[0]?.model, processors: cpus().length, node: process.version };
  writeResults({ date: new Date().toISOString(), machine, measured, results });
});

// gpu-check run: the same model on the GPU and on the CPU.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildResults } from './build.mjs';
import { compareLogits } from './compare.mjs';
import { findGpus } from './nvidia-smi.mjs';
import { Report } from './report.mjs';

const probe = fileURLToPath(new URL('probe.mjs', import.meta.url));

/** Long enough for a slow disk and a large model. */
const longestTaskMs = 5 * 60_000;

/**
 * Largest difference of a quantized model's logits. Two processors alone differ by 2.5 % on a small one, because each
 * rounds what goes into a quantized product in its own way; a wrong result differs by far more.
 */
const quantizedTolerance = 0.1;

/** Memory that may be missing after later rounds of load and close: the driver itself rounds to 2 MiB. */
const toleratedGrowthMiB = 32;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
const percent = (fraction) => `${(100 * fraction).toFixed(3)} %`;

/** The two sides that are compared. On the reference the GPU is hidden: llama.cpp would use it for large batches. */
function chooseSides({ cpuOnly, threads }) {
  const cpu = { name: 'CPU', gpuLayers: 0, threads, environment: { CUDA_VISIBLE_DEVICES: '' } };
  if (cpuOnly) return [{ ...cpu, name: 'CPU, 1 thread', threads: 1 }, cpu];
  return [{ name: 'GPU', gpuLayers: 'max', threads, environment: {} }, cpu];
}

class Machine {
  /** @param {object} settings as gpu-check.mjs reads them */
  constructor(settings, scratch) {
    this.settings = settings;
    this.scratch = scratch;
    this.results = buildResults(settings.build);
  }

  /** Runs a task of probe.mjs and returns its result. */
  runTask(task, side, extra = {}) {
    const { dist, model } = this.settings;
    const { gpuLayers, threads } = side;
    const output = join(this.scratch, 'result.json');
    rmSync(output, { force: true });
    const request = JSON.stringify({ task, dist, model, gpuLayers, threads, output, ...extra });
    this.#start(process.execPath, [probe, request], side, process.cwd());
    return JSON.parse(readFileSync(output, 'utf8'));
  }

  /** Writes the model with all weights in 32 bits, and returns its path. */
  unquantize() {
    const path = join(this.scratch, 'unquantized.gguf');
    const quantize = [this.results.quantize, '--allow-requantize', this.settings.model, path, 'F32'];
    this.#start(quantize[0], quantize.slice(1), { name: 'CPU', environment: {} }, this.results.release);
    return path;
  }

  /** Tokens a second of llama-bench on the same side. */
  runBench(side, threads) {
    const layers = side.gpuLayers === 'max' ? '999' : '0';
    const amounts = ['-p', '512', '-n', '128', '-b', '512', '-r', '3'];
    const choice = ['-m', this.settings.model, '-ngl', layers, '-t', String(threads), '-o', 'json'];
    // It looks for ggml's backends beside itself and in the working directory.
    const { stdout } = this.#start(this.results.bench, [...choice, ...amounts], side, this.results.release);
    const results = JSON.parse(stdout);
    return {
      prompt: results.find((entry) => entry.n_prompt > 0).avg_ts,
      generate: results.find((entry) => entry.n_gen > 0).avg_ts,
      device: results[0].gpu_info || results[0].cpu_info,
    };
  }

  #start(program, programArguments, side, cwd) {
    const environment = { ...process.env, LLAMA_NATIVE_ADDON: this.results.addon, ...side.environment };
    const result = spawnSync(program, programArguments, {
      cwd,
      env: environment,
      encoding: 'utf8',
      timeout: longestTaskMs,
      maxBuffer: 64 * 1024 * 1024,
    });
    if (result.status === 0) return result;
    const ending = result.error?.message ?? result.signal ?? `exit code ${result.status}`;
    const lastLines = result.stderr.trim().split('\n').slice(-20).join('\n');
    throw new Error(`on the ${side.name}: ${ending}\n${lastLines}`);
  }
}

function checkDevices(report, machine, side, { cpuOnly }) {
  const { devices, system, log } = machine.runTask('devices', side);
  report.say(`llama.cpp ${system.llamaCppVersion}, ${system.cpuFeatures}`);
  for (const { kind, name, description, backend, freeBytes, totalBytes } of devices) {
    const memory = `${megabytes(freeBytes)} free of ${megabytes(totalBytes)}`;
    report.say(`${kind} ${name}: ${description} (${backend}), ${memory}`);
  }
  if (!cpuOnly && !devices.some(({ kind }) => kind === 'gpu')) {
    const said = log.filter((line) => /cuda|gpu/i.test(line)).join('');
    throw new Error(`The addon sees no GPU. llama.cpp said of it: ${said.trim() || 'nothing'}`);
  }
  return { devices, system };
}

function readLogits(path) {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

function compareSides(report, machine, sides, { model, tolerance }) {
  const runs = sides.map((side, index) => {
    const path = join(machine.scratch, `logits-${index}`);
    const facts = machine.runTask('logits', side, { model, logits: path });
    return { ...facts, values: readLogits(path) };
  });
  const [ours, reference] = runs;
  const { batch, tokens, vocabularySize } = reference;
  const border = batch * vocabularySize;
  const compare = (from, to) =>
    compareLogits(ours.values.subarray(from, to), reference.values.subarray(from, to), vocabularySize);
  const parts = { batch: compare(0, border), single: compare(border, tokens * vocabularySize) };
  for (const [name, part] of Object.entries(parts)) {
    const { rows, difference, largestRowDifference, sameFirstChoice } = part;
    const worst = `worst token ${percent(largestRowDifference)}`;
    const way = name === 'batch' ? 'in one batch' : 'one by one';
    report.say(
      `${rows} tokens ${way}: ${percent(difference)}, ${worst}, same first choice ${sameFirstChoice}/${rows}`,
    );
  }
  const difference = Math.max(parts.batch.difference, parts.single.difference);
  if (difference > tolerance) {
    throw new Error(
      `The logits of ${sides[0].name} and ${sides[1].name} differ by ${percent(difference)} of their norm; ` +
        `${percent(tolerance)} is allowed.`,
    );
  }
  return { tolerance, ...parts };
}

function measure(report, machine, side) {
  const library = machine.runTask('speed', side);
  const bench = machine.runBench(side, library.threads);
  const ratios = { prompt: library.prompt / bench.prompt, generate: library.generate / bench.generate };
  for (const what of ['prompt', 'generate']) {
    const [ours, theirs] = [library[what].toFixed(1), bench[what].toFixed(1)];
    report.say(`${what}: ${ours} tokens/s, llama-bench ${theirs}, ratio ${ratios[what].toFixed(3)}`);
  }
  report.say(`${library.model}, ${library.threads} threads; llama-bench on ${bench.device}`);
  return { side: side.name, library, bench, ratios };
}

function checkMemory(report, machine, side) {
  const memory = machine.runTask('memory', side);
  const { before, history, sizeBytes, offloaded } = memory;
  report.say(`used before: ${before} MiB; the model's tensors: ${megabytes(sizeBytes)}`);
  for (const { loaded, closed } of history) report.say(`loaded ${loaded} MiB, closed ${closed} MiB`);
  if (offloaded !== undefined) report.say(offloaded);
  const [first, last] = [history[0], history.at(-1)];
  const taken = (first.loaded - first.closed) * 1024 * 1024;
  // A table of tokens stays in the computer's memory, so not quite all of the model has to appear here.
  if (taken < sizeBytes / 2) {
    throw new Error(
      `Expected at least half of the model on the GPU, but closing it freed ${megabytes(taken)} there.`,
    );
  }
  if (last.closed - first.closed > toleratedGrowthMiB) {
    throw new Error(`After each close more memory stays taken: ${last.closed - first.closed} MiB.`);
  }
  return memory;
}

async function showGpus(report) {
  const gpus = findGpus();
  for (const { name, driver, usedMiB, totalMiB } of gpus) {
    report.say(`${name}, driver ${driver}, ${usedMiB} of ${totalMiB} MiB used`);
  }
  return gpus;
}

/** The steps that use the model, with what each is called. */
function modelSteps(report, machine, settings) {
  const { cpuOnly, tolerance } = settings;
  const sides = chooseSides(settings);
  const names = sides.map(({ name }) => name).join(' beside ');
  const compare = (model, allowed) => compareSides(report, machine, sides, { model, tolerance: allowed });
  const steps = {
    quantizedLogits: {
      name: `logits, the model as it is: ${names}`,
      work: () => compare(settings.model, quantizedTolerance),
    },
    logits: {
      name: `logits, the same weights in 32 bits: ${names}`,
      work: () => {
        const model = machine.unquantize();
        try {
          return compare(model, tolerance);
        } finally {
          rmSync(model, { force: true });
        }
      },
    },
    speed: { name: `speed: ${sides[0].name}`, work: () => measure(report, machine, sides[0]) },
    referenceSpeed: { name: `speed: ${sides[1].name}`, work: () => measure(report, machine, sides[1]) },
    memory: {
      name: 'memory of the GPU',
      ...(cpuOnly && { skipped: '--cpu-only' }),
      work: () => checkMemory(report, machine, sides[0]),
    },
  };
  return Object.entries(steps);
}

async function runSteps(report, machine, settings) {
  const { cpuOnly } = settings;
  const summary = {};
  const shown = 'the GPU, as the driver shows it';
  if (cpuOnly) report.skip(shown, '--cpu-only');
  else summary.gpus = await report.step(shown, () => showGpus(report));
  const [first] = chooseSides(settings);
  const found = await report.step('devices', () => checkDevices(report, machine, first, settings));
  Object.assign(summary, found);
  for (const [key, { name, skipped, work }] of modelSteps(report, machine, settings)) {
    // Without its device a step would compare or measure the CPU, and say that it was something else.
    const reason = found === undefined ? 'the devices are not as expected' : skipped;
    if (reason === undefined) summary[key] = await report.step(name, work);
    else report.skip(name, reason);
  }
  return summary;
}

/**
 * Runs all checks, prints what they find, and writes the summary.
 *
 * @returns {Promise<boolean>} true if all passed
 */
export async function run(settings) {
  const { addon, bench, quantize } = buildResults(settings.build);
  for (const path of [addon, bench, quantize]) {
    if (!existsSync(path)) throw new Error(`Expected a build at ${path}, found none. Run first: build`);
  }
  const report = new Report();
  const scratch = mkdtempSync(join(settings.build, 'run-'));
  try {
    const summary = await runSteps(report, new Machine(settings, scratch), settings);
    const isGood = report.failures.length === 0;
    const { failures, skipped } = report;
    const full = { passed: isGood, cpuOnly: settings.cpuOnly, failures, skipped, ...summary };
    mkdirSync(dirname(settings.output), { recursive: true });
    writeFileSync(settings.output, `${JSON.stringify(full, null, 2)}\n`);
    console.log(JSON.stringify(full));
    report.say(`summary: ${settings.output}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return report.conclude();
}

// Measured programs run as processes of their own, so that none inherits memory or threads from another.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** LLAMA_ARG_* and LLAMA_LOG_* variables would change what llama.cpp's programs do and print. */
function environmentWithoutSettings() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^LLAMA_(ARG|LOG)_/.test(name)));
}

/** Programs that run now; when the benchmark is ended, they end too. */
const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of running) child.kill();
    process.kill(process.pid, signal);
  });
}

/** Starts a program with its output piped; it does not outlive this process. */
export function start(program, programArguments) {
  const child = spawn(program, programArguments, {
    env: environmentWithoutSettings(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Runs a program to its end and returns its output. */
export function runToEnd(program, programArguments) {
  const { promise, resolve, reject } = deferred();
  const child = start(program, programArguments);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.on('error', reject);
  child.on('close', (status, signal) => {
    if (status === 0) resolve(stdout);
    else reject(new Error(`${program} ended with ${signal ?? status}:\n${stderr.slice(-2000)}`));
  });
  return promise;
}

/** As `Promise.withResolvers`, which Node 20 lacks. */
function deferred() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Runs one of the measuring scripts with a task and returns the result it prints, as JSON, on its last line. */
export async function runMeasurement(script, task) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const output = await runToEnd(process.execPath, [path, JSON.stringify(task)]);
  return JSON.parse(output.trimEnd().split('\n').at(-1));
}

/** Memory of a process that is in RAM now, in bytes; mapped files included. */
export function residentBytes(processId) {
  if (process.platform === 'linux') {
    const status = readFileSync(`/proc/${processId}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1024;
  }
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(processId)], { encoding: 'utf8' });
  return Number(stdout) * 1024;
}
